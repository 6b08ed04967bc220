use super::*;

#[test]
fn both_forms() {
    let map = Filters::parse(r#"{"name":{"x":true,"y":false},"status":{"exited":true}}"#).unwrap();
    let list = Filters::parse(r#"{"name":["x"],"status":["exited"]}"#).unwrap();
    assert_eq!(map, list);
    assert_eq!(map.get("name"), ["x"]);
    assert!(map.get("label").is_empty());
    assert_eq!(
        map.encode(),
        r#"{"name":{"x":true},"status":{"exited":true}}"#
    );
    assert_eq!(Filters::parse(&map.encode()).unwrap(), map);
}

#[test]
fn nothing_is_no_filter() {
    assert!(Filters::parse("").unwrap().is_empty());
    assert!(Filters::parse("null").unwrap().is_empty());
    assert!(Filters::parse("{}").unwrap().is_empty());
    assert_eq!(Filters::default().encode(), "");
}

#[test]
fn what_is_refused() {
    for bad in [
        "x",
        "[]",
        r#"{"a":1}"#,
        r#"{"a":[1]}"#,
        r#"{"a":{"b":"c"}}"#,
    ] {
        assert_eq!(
            Filters::parse(bad),
            Err("invalid filter".to_owned()),
            "{bad}"
        );
    }
    let filters =
        Filters::parse(r#"{"nme":["x"],"dangling":["maybe"],"b":["1"],"c":["false"]}"#).unwrap();
    assert_eq!(
        filters.only(&["name", "dangling", "b", "c"]),
        Err("invalid filter 'nme'".to_owned())
    );
    assert_eq!(
        filters.flag("dangling"),
        Err("invalid filter 'dangling=[maybe]'".to_owned())
    );
    assert_eq!(
        (filters.flag("b"), filters.flag("c")),
        (Ok(Some(true)), Ok(Some(false)))
    );
    assert_eq!(filters.flag("d"), Ok(None));
}
