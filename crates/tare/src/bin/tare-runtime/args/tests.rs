use super::*;

const FLAGS: &[Flag] = &[
    Flag::option("bundle", "b", "DIR", ""),
    Flag::switch("all", "a", ""),
];

fn read(order: Order, args: &[&str]) -> Result<Given> {
    Given::read(FLAGS, order, args.iter().map(|&a| a.to_owned()).collect())
}

#[test]
fn a_flag_is_written_in_many_ways() {
    for args in [
        &["--bundle", "x", "id"][..],
        &["--bundle=x", "id"],
        &["-b", "x", "id"],
        &["-b=x", "id"],
        &["-bundle", "x", "id"],
        &["id", "--bundle", "x"],
        &["--bundle", "y", "--bundle", "x", "id"],
    ] {
        let given = read(Order::Anywhere, args).unwrap();
        assert_eq!(given.last("bundle"), Some("x"), "{args:?}");
        assert_eq!(given.id().unwrap(), "id");
        assert!(!given.is_on("all"));
    }
}

#[test]
fn a_switch_is_on_alone_and_as_it_says() {
    for (args, on) in [
        (&["-a"][..], true),
        (&["--all=true"], true),
        (&["--all=false"], false),
        (&["--all", "--all=0"], false),
        (&[], false),
    ] {
        assert_eq!(read(Order::Anywhere, args).unwrap().is_on("all"), on);
    }
    assert!(read(Order::Anywhere, &["--all=maybe"]).is_err());
}

#[test]
fn another_programs_flags_are_left_alone() {
    let given = read(Order::First, &["-a", "id", "ls", "-l", "--", "-b"]).unwrap();
    let (id, rest) = given.id_and_rest().unwrap();
    assert_eq!((id, rest.join(" ").as_str()), ("id", "ls -l -- -b"));
    let given = read(Order::Anywhere, &["--", "-x"]).unwrap();
    assert_eq!(given.id().unwrap(), "-x");
}

#[test]
fn what_is_not_known_or_lacks_a_value_is_refused() {
    assert!(read(Order::Anywhere, &["--nosuch"]).is_err());
    assert!(read(Order::Anywhere, &["id", "--bundle"]).is_err());
    assert!(read(Order::Anywhere, &["--help"]).unwrap().help);
    let given = read(Order::Anywhere, &["a", "b"]).unwrap();
    assert!(given.id().is_err() && given.nothing().is_err());
}
