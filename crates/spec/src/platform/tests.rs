use super::*;

fn parse(text: &str) -> String {
    text.parse::<Platform>()
        .map_or_else(|e| e.to_string(), |p| p.to_string())
}

#[test]
fn normalised() {
    assert_eq!(parse("linux/amd64"), "linux/amd64");
    assert_eq!(parse("Linux/x86_64"), "linux/amd64");
    assert_eq!(parse("linux/aarch64/v8"), "linux/arm64");
    assert_eq!(parse("linux/arm"), "linux/arm/v7");
    assert_eq!(parse("linux/arm/v6"), "linux/arm/v6");
    assert_eq!(parse("armhf"), "linux/arm/v7");
    assert_eq!(parse("amd64"), "linux/amd64");
    assert_eq!(parse("macos/arm64"), "darwin/arm64");
    assert_eq!(parse("linux"), Platform::host().to_string());
}

#[test]
fn refused() {
    for text in [
        "",
        "/",
        "linux/",
        "linux/amd64/v1/x",
        "linux/am d64",
        "vax",
        "linux/../x",
    ] {
        assert!(text.parse::<Platform>().is_err(), "{text}");
    }
}

fn runs(host: &str, image: &str) -> Option<u32> {
    host.parse::<Platform>()
        .unwrap()
        .runs(&image.parse().unwrap())
}

#[test]
fn what_runs_where() {
    assert_eq!(runs("linux/amd64", "linux/amd64"), Some(0));
    assert_eq!(runs("linux/amd64", "linux/amd64/v3"), None);
    assert_eq!(runs("linux/amd64/v3", "linux/amd64/v2"), Some(1));
    assert_eq!(runs("linux/amd64", "windows/amd64"), None);
    assert_eq!(runs("linux/amd64", "linux/arm64"), None);
    assert_eq!(runs("linux/arm64", "linux/arm64/v8"), Some(0));
    assert!(runs("linux/arm64", "linux/arm/v6") > runs("linux/arm64", "linux/arm/v7"));
    assert_eq!(runs("linux/arm/v6", "linux/arm/v7"), None);
    assert_eq!(runs("linux/riscv64", "linux/riscv64"), Some(0));
}
