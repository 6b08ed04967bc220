use super::*;

fn watch(keys: &str) -> Watch {
    Watch::new(Keys::parse(keys).unwrap())
}

#[test]
fn sequences() {
    assert_eq!(Keys::parse("").unwrap(), Keys(vec![16, 17]));
    assert_eq!(
        Keys::parse("ctrl-@,a,ctrl-[").unwrap(),
        Keys(vec![0, b'a', 27])
    );
    assert!(Keys::parse("ctrl-A").is_err());
    assert!(Keys::parse("a,,b").is_err());
    assert!(Keys::parse("shift-a").is_err());
}

#[test]
fn the_keys_are_kept_from_the_program_wherever_they_are_cut() {
    let mut whole = watch("");
    assert_eq!(
        whole.feed(b"ls\x10\x11rest"),
        Typed {
            bytes: b"ls".to_vec(),
            detached: true
        }
    );
    let mut cut = watch("");
    assert_eq!(
        cut.feed(b"ls\x10"),
        Typed {
            bytes: b"ls".to_vec(),
            detached: false
        }
    );
    assert_eq!(
        cut.feed(b"\x11"),
        Typed {
            bytes: Vec::new(),
            detached: true
        }
    );
}

#[test]
fn a_beginning_that_is_no_more_is_given_to_the_program() {
    let mut keys = watch("");
    assert_eq!(
        keys.feed(b"\x10"),
        Typed {
            bytes: Vec::new(),
            detached: false
        }
    );
    assert_eq!(
        keys.feed(b"x"),
        Typed {
            bytes: b"\x10x".to_vec(),
            detached: false
        }
    );
    assert_eq!(
        keys.feed(b"\x10\x10\x11"),
        Typed {
            bytes: b"\x10".to_vec(),
            detached: true
        }
    );
    let mut none = Watch::new(Keys::none());
    assert_eq!(
        none.feed(b"\x10\x11"),
        Typed {
            bytes: b"\x10\x11".to_vec(),
            detached: false
        }
    );
}
