use super::*;

#[test]
fn dockers_words() {
    let now = Timestamp::from_second(10_000_000_000).unwrap();
    let check = |seconds: i64, words: &str| {
        let since = Timestamp::from_second(now.as_second() - seconds).unwrap();
        assert_eq!(human(since, now), words, "{seconds}");
    };
    check(-5, "Less than a second");
    check(0, "Less than a second");
    check(1, "1 second");
    check(59, "59 seconds");
    check(60, "About a minute");
    check(119, "About a minute");
    check(120, "2 minutes");
    check(46 * 60, "46 minutes");
    check(3600, "About an hour");
    check(5400, "2 hours");
    check(47 * 3600, "47 hours");
    check(48 * 3600, "2 days");
    check(14 * 86400, "2 weeks");
    check(60 * 86400, "2 months");
    check(2 * 365 * 86400, "2 years");
}
