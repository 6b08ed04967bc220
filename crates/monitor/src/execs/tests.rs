use spec::ContainerId;

use super::*;

fn id(n: u16) -> ExecId {
    let mut random = [0; 16];
    random[..2].copy_from_slice(&n.to_le_bytes());
    ExecId::new(&ContainerId::from_bytes([1; 32]), random)
}

fn process() -> Process {
    Process {
        args: vec!["true".to_owned()],
        env: Vec::new(),
        cwd: None,
        user: None,
        tty: false,
        open_stdin: false,
        privileged: false,
        detach_keys: None,
    }
}

#[test]
fn a_life() {
    let mut execs = Execs::default();
    assert_eq!(execs.get(&id(1)).unwrap_err().0, Refusal::NotFound);
    execs.create(id(1), process()).unwrap();
    assert_eq!(
        execs.create(id(1), process()).unwrap_err().0,
        Refusal::Conflict
    );
    assert_eq!(
        execs.get(&id(1)).unwrap().info().status,
        ExecStatus::Created
    );
    assert_eq!(execs.get_running(&id(1)).unwrap_err().0, Refusal::Conflict);
    assert_eq!(execs.ended(&id(1), 3), None);
    assert_eq!(execs.get_created(&id(1)).unwrap_err().0, Refusal::Conflict);
    let info = execs.get(&id(1)).unwrap().info();
    assert_eq!(info.status, ExecStatus::Exited { code: 3 });
}

#[test]
fn nothing_to_run_is_refused() {
    let nothing = Process {
        args: Vec::new(),
        ..process()
    };
    let refused = Execs::default().create(id(1), nothing).unwrap_err();
    assert_eq!(refused.0, Refusal::Invalid);
}

#[test]
fn there_are_limits() {
    let mut execs = Execs::default();
    for n in 0..MOST {
        execs
            .create(id(u16::try_from(n).unwrap()), process())
            .unwrap();
    }
    let one_more = id(u16::MAX);
    assert_eq!(
        execs.create(one_more.clone(), process()).unwrap_err().0,
        Refusal::Busy
    );
    for n in 0..MOST {
        execs.ended(&id(u16::try_from(n).unwrap()), 0);
    }
    assert_eq!(execs.iter().count(), REMEMBERED);
    assert!(execs.get(&id(0)).is_err());
    execs.create(one_more, process()).unwrap();
}
