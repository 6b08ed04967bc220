use api::Query;
use engine::build::{BuildRequest, CacheUse, File};

use super::classic::asked;
use crate::error::Refusal;
use crate::request::Params;

fn ask(query: &str) -> Result<BuildRequest, Refusal> {
    asked(&Params(Query::parse(query)))
}

#[test]
fn what_is_not_done_is_refused_and_not_ignored() {
    for name in ["pull", "remote", "outputs", "squash", "cachefrom"] {
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
    let query = "buildargs=%7B%22A%22%3A%22b%22%2C%22C%22%3Anull%7D&cachefrom=%5B%5D&cgroupparent=%2Fp&cpuperiod=5&cpuquota=6&\
        cpusetcpus=0&cpusetmems=&cpushares=0&dockerfile=f&forcerm=1&labels=%7B%7D&memory=9&memswap=0&networkmode=default&extrahosts=%5B%22a%3A1.2.3.4%22%5D&securityopt=%5B%22no-new-privileges%22%5D&\
        nocache=1&rm=1&shmsize=7&t=x&t=y%3Az&target=last&ulimits=%5B%7B%22Name%22%3A%22nofile%22%2C%22Hard%22%3A9%2C%22Soft%22%3A8%7D%5D&version=1";
    let request = ask(query).unwrap_or_else(|_| panic!("refused"));
    let run = &request.run;
    assert_eq!((run.shm_size, run.memory), (7, 9));
    assert_eq!((run.cpu_period, run.cpu_quota), (5, 6));
    assert_eq!(
        (run.cpuset_cpus.as_str(), run.cgroup_parent.as_str()),
        ("0", "/p")
    );
    assert_eq!(run.extra_hosts, ["a:1.2.3.4"]);
    assert_eq!(run.security_opt, ["no-new-privileges"]);
    assert_eq!((run.ulimits[0].soft, run.ulimits[0].hard), (8, 9));
    assert_eq!(request.file, File::InContext("f".to_owned()));
    assert_eq!(run.network_mode, "");
    assert_eq!(request.tags.len(), 2);
    assert_eq!(request.plan.target.as_deref(), Some("last"));
    assert_eq!(request.plan.build_args["A"], "b");
    assert!(!request.plan.build_args.contains_key("C"));
    assert!(matches!(request.plan.cache, CacheUse::None));
}
