use super::*;

#[test]
fn values_are_unescaped() {
    let query = Query::parse("a=1&b=x%2Fy+z&c&b=2&%zz=%4&&t=tru%65");
    assert_eq!(query.text("b"), Some("x/y z"));
    assert_eq!(query.all("b").collect::<Vec<_>>(), ["x/y z", "2"]);
    assert_eq!(
        (query.get("c"), query.text("c"), query.get("d")),
        (Some(""), None, None)
    );
    assert_eq!(query.get("%zz"), Some("%4"));
    assert!(query.flag("t"));
}

#[test]
fn flags_are_read_as_docker_reads_them() {
    let query = Query::parse("a=1&b=0&c=False&d=none&e=yes&f=");
    assert_eq!(
        ["a", "b", "c", "d", "e", "f", "g"].map(|name| query.flag(name)),
        [true, false, false, false, true, false, false]
    );
    assert!(query.flag_or("g", true) && !query.flag_or("b", true));
}

#[test]
fn numbers() {
    let query = Query::parse("a=-3&b=x&c=");
    assert_eq!(query.number::<i64>("a"), Ok(Some(-3)));
    assert_eq!(query.number::<i64>("c"), Ok(None));
    assert!(query.number::<i64>("b").is_err());
    assert!(query.number::<u16>("a").is_err());
}

#[test]
fn writing_and_reading_is_the_identity() {
    let query = Query::new()
        .with("name", "a b&c=ü%")
        .with_flag("all", true)
        .with_flag("size", false);
    let url = query.with_number("limit", Some(3)).behind("/x");
    assert_eq!(url, "/x?name=a%20b%26c%3D%C3%BC%25&all=1&limit=3");
    let (_, text) = url.split_once('?').unwrap();
    assert_eq!(Query::parse(text).get("name"), Some("a b&c=ü%"));
    assert_eq!(path_segment("a/b:c@d?e#f g"), "a/b:c@d%3Fe%23f%20g");
    assert_eq!(unescape_path("a+b%20c"), "a+b c");
}
