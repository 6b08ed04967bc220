use kernel::user::Users;

use super::find;

fn users() -> Users {
    let passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/srv:/bin/false\n0:x:5000:5000::/zero:\nrel:x:7:7::home:\n";
    let group =
        "root:x:0:\nwheel:x:10:root\nwww:x:34:\nvideo:x:44:web\naudio:x:45:web,root\n1234:x:99:\n";
    Users::from_bytes(passwd.into(), group.into())
}

#[track_caller]
fn check(asked: &str, uid: u32, gid: u32, all: &[u32], home: &str) {
    let user = find(&users(), asked, &[]).unwrap();
    assert_eq!(
        (user.uid, user.gid, user.home.as_str()),
        (uid, gid, home),
        "{asked}"
    );
    assert_eq!(user.additional_gids, all, "{asked}");
}

#[test]
fn names_and_numbers() {
    check("root", 0, 0, &[0, 10, 45], "/root");
    check("", 0, 0, &[0, 10, 45], "/root");
    check("web", 33, 34, &[34, 44, 45], "/srv");
    check("33", 33, 34, &[34, 44, 45], "/srv");
    check("web:root", 33, 0, &[0], "/srv");
    check("web:5", 33, 5, &[5], "/srv");
    check("1000", 1000, 0, &[0], "/");
    check("1000:1000", 1000, 1000, &[1000], "/");
    check(":34", 0, 34, &[34], "/root");
    check("rel", 7, 7, &[7], "/");
    check("4294967294", 4_294_967_294, 0, &[0], "/");
}

#[test]
fn digits_are_never_names() {
    // A user called `0` who is 5000, a group called `1234` that is 99.
    check("0", 0, 0, &[0, 10, 45], "/root");
    check("root:1234", 0, 1234, &[1234], "/root");
}

#[test]
fn what_is_not_there_is_named() {
    let error = |asked: &str| find(&users(), asked, &[]).unwrap_err().to_string();
    assert_eq!(
        error("x"),
        "unable to find user x: no matching entries in passwd file"
    );
    assert_eq!(
        error("web:x"),
        "unable to find group x: no matching entries in group file"
    );
    assert_eq!(
        error("-1"),
        "unable to find user -1: no matching entries in passwd file"
    );
    assert_eq!(
        error("4294967295"),
        "uids and gids must be in range 0-4294967294"
    );
    assert_eq!(
        error("web:99999999999"),
        "uids and gids must be in range 0-4294967294"
    );
    assert_eq!(
        error("a\nb"),
        "unable to find user a\\nb: no matching entries in passwd file"
    );
}

#[test]
fn extra_groups_come_once() {
    let user = find(&users(), "web", &[44, 7]).unwrap();
    assert_eq!(user.additional_gids, [34, 44, 45, 7]);
}
