use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;

use super::{Channel, Launcher};
use crate::{Kind, Ready};

fn both() -> (Launcher, Channel) {
    let (launcher, theirs) = Launcher::pair().unwrap();
    (launcher, Channel::new(theirs))
}

#[test]
fn an_order_brings_descriptors_with_their_numbers() {
    let (launcher, channel) = both();
    let (mut read, write) = std::io::pipe().unwrap();
    let null = File::open("/dev/null").unwrap();
    launcher
        .order(&[(null.as_fd(), 9), (write.as_fd(), 3)])
        .unwrap();
    drop(write);
    let mut given = channel.receive().unwrap().unwrap();
    let numbers: Vec<i32> = given.iter().map(|(_, number)| *number).collect();
    assert_eq!(numbers, [9, 3]);
    let mut pipe = File::from(given.pop().unwrap().0);
    pipe.write_all(b"x").unwrap();
    drop(pipe);
    let mut text = String::new();
    read.read_to_string(&mut text).unwrap();
    assert_eq!(text, "x");
}

#[test]
fn an_answer_comes_back() {
    let (launcher, channel) = both();
    let said = Ready::Failed {
        stage: "mount".to_owned(),
        message: "no".to_owned(),
        exit_code: 125,
    };
    channel.answer(&said).unwrap();
    assert_eq!(launcher.ready().unwrap(), said);
}

#[test]
fn whoever_is_not_needed_is_told() {
    let (launcher, channel) = both();
    drop(launcher);
    assert!(channel.receive().unwrap().is_none());
}

#[test]
fn a_death_is_no_answer() {
    let (launcher, channel) = both();
    drop(channel);
    assert_eq!(launcher.ready().unwrap_err().kind, Kind::Closed);
    // With an order that nobody read.
    let (launcher, channel) = both();
    let null = File::open("/dev/null").unwrap();
    launcher.order(&[(null.as_fd(), 3)]).unwrap();
    drop(channel);
    assert_eq!(launcher.ready().unwrap_err().kind, Kind::Closed);
    assert!(launcher.order(&[(null.as_fd(), 3)]).is_err());
}

#[test]
fn what_is_no_order_is_refused() {
    let (launcher, channel) = both();
    kernel::socket::send_with_fds(&launcher.0, b"hello", &[]).unwrap();
    assert_eq!(channel.receive().unwrap_err().kind, Kind::Malformed);
    kernel::socket::send_with_fds(&launcher.0, b"[3,4]", &[]).unwrap();
    assert_eq!(channel.receive().unwrap_err().kind, Kind::Malformed);
}
