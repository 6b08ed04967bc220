#![allow(clippy::unwrap_used, reason = "tests")]

use super::columns::{self, Process};
use super::{check, chosen};

#[test]
fn rows_are_chosen_by_their_pid() {
    let text = "UID   PID CMD\nroot    1 init\nroot   12 sleep 7  1\n  -     - x y\nme 7 [a]\n";
    let table = chosen(text, &[7, 12]).unwrap();
    assert_eq!(table.titles, ["UID", "PID", "CMD"]);
    let rows: Vec<String> = table.rows.iter().map(|row| row.join("|")).collect();
    assert_eq!(rows, ["root|12|sleep 7 1", "-|-|x y", "me|7|[a]"]);
    for bad in ["", "UID CMD\n", "PID CMD\nx y\n", "UID PID\n1\n"] {
        chosen(bad, &[1]).unwrap_err();
    }
}

#[test]
fn no_other_column_may_be_called_pid() {
    for good in ["-ef", "aux", "-o pid,cmd", "-o user=WHO,pid", "-eo pid= "] {
        check(good).unwrap();
    }
    for bad in [
        "-o user=PID",
        "-o user= PID",
        "-e -o pid,user=PID",
        "-o comm=PID,pid=X",
        "-ocomm=PIDX",
    ] {
        check(bad).unwrap_err();
    }
}

#[test]
fn names_of_programs_may_hold_anything() {
    let stat = "12 (a) b (c) S 7 12 12 34818 12 4194304 1 0 0 0 150 50 0 0 20 0 1 0 4711 1 1";
    let process = columns::parse(stat).unwrap();
    let expected = Process {
        name: "a) b (c".to_owned(),
        parent: 7,
        terminal: 34818,
        used: 200,
        started: 4711,
    };
    assert_eq!(process, expected);
    for bad in ["", "12", "12 (a", "12 (a) S", "12 (a) S x"] {
        assert_eq!(columns::parse(bad), None);
    }
}

#[test]
fn times_and_terminals_are_as_ps_has_them() {
    assert_eq!(columns::clock(3723), "01:02:03");
    assert_eq!(columns::when(1_700_000_000, 1_700_000_500), "22:13");
    assert_eq!(columns::when(1_700_000_000, 1_700_100_000), "Nov14");
    assert_eq!(columns::terminal(34818), "pts/2");
    assert_eq!(columns::terminal(0), "?");
    assert_eq!(columns::terminal(4 << 8 | 65), "ttyS1");
}
