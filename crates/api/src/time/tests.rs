use super::*;

#[test]
fn written_as_go_writes_it() {
    let time: Timestamp = "2025-02-17T17:43:39.640013630Z".parse().unwrap();
    assert_eq!(
        Time::from(time).to_string(),
        "2025-02-17T17:43:39.64001363Z"
    );
    assert_eq!(Time::default().to_string(), ZERO);
    assert_eq!(log_stamp(time), "2025-02-17T17:43:39.640013630Z");
    assert_eq!(
        log_stamp("2025-02-17T17:43:39Z".parse().unwrap()),
        "2025-02-17T17:43:39.000000000Z"
    );
}

#[test]
fn read_with_and_without_offset() {
    let read = |text: &str| serde_json::from_str::<Time>(&format!("\"{text}\"")).unwrap();
    assert_eq!(read(ZERO), Time(None));
    assert_eq!(read(""), Time(None));
    assert_eq!(read("1970-01-01T02:00:00+02:00").unix(), 0);
    assert_eq!(Time(None).unix(), -62_135_596_800);
}

#[test]
fn query_times() {
    assert_eq!(parse_query(""), None);
    assert_eq!(parse_query("0"), None);
    assert_eq!(parse_query("0.000000000"), None);
    assert_eq!(parse_query("yesterday"), None);
    assert_eq!(parse_query("1.x"), None);
    assert_eq!(parse_query("1.5").unwrap().as_nanosecond(), 1_500_000_000);
    assert_eq!(
        parse_query("1136073600.000000001").unwrap().as_nanosecond(),
        1_136_073_600_000_000_001
    );
    assert_eq!(parse_query("1970-01-01T00:00:01Z").unwrap().as_second(), 1);
}

#[test]
fn moments_are_times_dates_and_durations() {
    let now: Timestamp = "2026-01-02T12:00:00Z".parse().unwrap();
    let moment = |text: &str| parse_moment(text, now).map(|time| time.to_string());
    for (text, time) in [
        ("1136073600", "2006-01-01T00:00:00Z"),
        ("2026-01-02", "2026-01-02T00:00:00Z"),
        ("2026-01-02T15:04", "2026-01-02T15:04:00Z"),
        ("2026-01-02T15:04:05Z", "2026-01-02T15:04:05Z"),
        ("1h30m", "2026-01-02T10:30:00Z"),
        ("1.5s", "2026-01-02T11:59:58.5Z"),
    ] {
        assert_eq!(moment(text).as_deref(), Some(time), "{text}");
    }
    let huge = "9".repeat(400) + "h";
    for text in ["", "soon", "5", "1x", "h", "--", huge.as_str()] {
        assert!(moment(text).is_none_or(|_| text == "5"), "{text}");
    }
}
