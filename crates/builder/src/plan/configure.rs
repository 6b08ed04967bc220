//! Instructions that change only the configuration.

use dockerfile::Word;
use dockerfile::instruction::{Command, Health, Instruction, Kind};
use spec::image::{Empty, Healthcheck};

use super::stage::Building;
use crate::error::{Error, Result};
use crate::variables::Globals;

/// Applies one.
pub(super) fn apply(
    building: &mut Building,
    kind: &Kind,
    instruction: &Instruction,
    globals: &Globals<'_>,
) -> Result<()> {
    let env = building.config.env.clone();
    let scope = building.scope.clone();
    let word = |word: &Word| scope.word(word, &env, globals);
    match kind {
        Kind::Arg(args) => {
            for arg in args {
                building.scope.declare(arg, &env, globals)?;
            }
        }
        Kind::Env(pairs) => {
            for pair in pairs {
                let (name, value) = (word(&pair.name)?, word(&pair.value)?);
                if name.is_empty() {
                    return Err(Error::new(pair.name.span, "ENV names can not be blank")
                        .help("write ENV name=value"));
                }
                set(&mut building.config.env, &name, &value);
            }
        }
        Kind::Label(pairs) => {
            for pair in pairs {
                building
                    .config
                    .labels
                    .insert(word(&pair.name)?, word(&pair.value)?);
            }
        }
        Kind::Maintainer(author) => building.author = Some(author.text.clone()),
        Kind::Cmd(command) => {
            building.config.cmd = Some(argv(command, building));
            building.own_cmd = true;
        }
        Kind::Entrypoint(command) => {
            building.config.entrypoint =
                Some(argv(command, building)).filter(|argv| !argv.is_empty());
            if !building.own_cmd {
                building.config.cmd = None;
            }
        }
        Kind::Expose(words) => {
            for port in words {
                for text in scope.words(port, &env, globals)? {
                    expose(building, port, &text)?;
                }
            }
        }
        Kind::Volume(words) => {
            for volume in words {
                let path = word(volume)?;
                if path.trim().is_empty() {
                    return Err(Error::new(
                        volume.span,
                        "VOLUME specified can not be an empty string",
                    )
                    .help("name an absolute path"));
                }
                building.config.volumes.insert(path, Empty {});
            }
        }
        Kind::User(user) => building.config.user = word(user)?,
        Kind::Stopsignal(signal) => building.config.stop_signal = Some(word(signal)?),
        Kind::Shell(words) => {
            building.config.shell = Some(words.iter().map(|w| w.text.clone()).collect());
        }
        Kind::Healthcheck(health) => {
            building.config.healthcheck = Some(healthcheck(health, building))
        }
        Kind::Onbuild(text, _) => {
            building
                .config
                .on_build
                .get_or_insert_default()
                .push(text.text.clone());
        }
        Kind::Run(_) | Kind::Copy(_) | Kind::Add(_) | Kind::Workdir(_) => {}
    }
    building.remember(instruction.original.clone(), true);
    Ok(())
}

fn set(env: &mut Vec<String>, name: &str, value: &str) {
    let pair = format!("{name}={value}");
    match env.iter_mut().find(|e| e.split('=').next() == Some(name)) {
        Some(old) => *old = pair,
        None => env.push(pair),
    }
}

/// The words that are executed: shell forms get the shell in front.
pub(super) fn argv(command: &Command, building: &Building) -> Vec<String> {
    match command {
        Command::Exec(words) => words.iter().map(|w| w.text.clone()).collect(),
        Command::Shell(text) => {
            let mut argv = shell(building);
            argv.push(text.text.clone());
            argv
        }
    }
}

/// The shell of shell forms.
pub(super) fn shell(building: &Building) -> Vec<String> {
    building
        .config
        .shell
        .clone()
        .unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned()])
}

fn healthcheck(health: &Health, building: &Building) -> Healthcheck {
    match health {
        Health::None => Healthcheck {
            test: vec!["NONE".to_owned()],
            ..Healthcheck::default()
        },
        Health::Test {
            command,
            interval,
            timeout,
            start_period,
            start_interval,
            retries,
        } => {
            let test = match command {
                Command::Exec(_) => [vec!["CMD".to_owned()], argv(command, building)].concat(),
                Command::Shell(text) => vec!["CMD-SHELL".to_owned(), text.text.clone()],
            };
            let given = |value: i64| Some(value).filter(|v| *v != 0);
            Healthcheck {
                test,
                interval: given(*interval),
                timeout: given(*timeout),
                start_period: given(*start_period),
                start_interval: given(*start_interval),
                retries: given(*retries),
            }
        }
    }
}

/// `80`, `80/udp`, `80-90`: a range is as many ports.
fn expose(building: &mut Building, word: &Word, text: &str) -> Result<()> {
    let bad = || {
        Error::new(word.span, format!("invalid containerPort: {text}"))
            .help("write EXPOSE 80, 80/udp or 8000-8010")
    };
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(bad());
    }
    // An address or host port in front is no business of an image; the lint says so.
    let ports = ports.rsplit(':').next().unwrap_or(ports);
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let number = |text: &str| text.parse::<u16>().ok().filter(|n| *n > 0);
    let (Some(first), Some(last)) = (number(first), number(last)) else {
        return Err(bad());
    };
    if first > last {
        return Err(bad());
    }
    for port in first..=last {
        building
            .config
            .exposed_ports
            .insert(format!("{port}/{protocol}"), Empty {});
    }
    Ok(())
}
