use api::Query;

use super::*;

fn ask(query: &str) -> Result<BuildRequest, Refusal> {
    asked(&Params(Query::parse(query)))
}

#[test]
fn what_is_not_done_is_refused_and_not_ignored() {
    for name in [
        "pull",
        "securityopt",
        "cpuperiod",
        "cpusetmems",
        "remote",
        "outputs",
        "squash",
        "cachefrom",
        "cpusetcpus",
        "cpuquota",
        "cpushares",
        "memswap",
        "ulimits",
        "cgroupparent",
    ] {
        assert!(ask(&format!("{name}=1")).is_err(), "{name}");
        assert!(ask(&format!("{name}=0")).is_ok(), "{name}");
    }
    assert!(ask("version=2").is_err());
    assert!(ask("platform=a/b/c/d").is_err());
    assert!(ask("buildargs=[").is_err());
    assert!(ask("t=A").is_err());
}

#[test]
fn what_the_command_line_sends_is_understood() {
    let query = "buildargs=%7B%22A%22%3A%22b%22%2C%22C%22%3Anull%7D&cachefrom=%5B%5D&cgroupparent=&cpuperiod=0&cpuquota=0&\
        cpusetcpus=&cpusetmems=&cpushares=0&dockerfile=f&forcerm=1&labels=%7B%7D&memory=9&memswap=0&networkmode=default&\
        nocache=1&rm=1&shmsize=7&t=x&t=y%3Az&target=last&ulimits=null&version=1";
    let request = ask(query).unwrap_or_else(|_| panic!("refused"));
    assert_eq!((request.shm_size, request.memory), (7, 9));
    assert_eq!(request.dockerfile, "f");
    assert_eq!(request.network, "");
    assert_eq!(request.tags.len(), 2);
    assert_eq!(request.plan.target.as_deref(), Some("last"));
    assert_eq!(request.plan.build_args["A"], "b");
    assert!(!request.plan.build_args.contains_key("C"));
    assert!(matches!(request.plan.cache, CacheUse::None));
}
