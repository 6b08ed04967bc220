use super::{SIGUSR1, SIGUSR2, SignalFd, kill, name, parse};

#[test]
fn names_and_numbers() {
    for (text, number) in [
        ("TERM", 15),
        ("SIGTERM", 15),
        ("sigkill", 9),
        ("15", 15),
        ("RTMIN", 34),
        ("SIGRTMIN+3", 37),
        ("RTMAX-14", 50),
        ("rtmax", 64),
        ("POLL", 29),
    ] {
        assert_eq!(parse(text), Some(number), "{text}");
    }
    for text in [
        "", "0", "65", "-1", "SIG", "RTMIN+31", "RTMAX-31", "RTMIN-1", "RTMIN3", "NOPE",
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
    for number in 1..=64 {
        if let Some(name) = name(number) {
            assert_eq!(parse(&name), Some(number), "{name}");
        }
    }
    assert_eq!(name(32), None);
}

#[test]
fn signals_as_a_descriptor() {
    // In a thread of its own: the mask is a thread's.
    let thread = std::thread::spawn(|| {
        let signals = SignalFd::new(&[SIGUSR1, SIGUSR2]).unwrap();
        assert_eq!(signals.read().unwrap(), None);
        signals
    });
    assert!(thread.join().is_ok());
    assert!(SignalFd::new(&[1000]).is_err());
    assert!(kill(rustix::process::getpid(), 0).is_ok());
}
