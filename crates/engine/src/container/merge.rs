//! What a user asks for over what the image says. Pure.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use spec::image::Config as ImageDefaults;

use super::config::{Config, Healthcheck};
use crate::error::{Error, Result};

/// `config` with the image's word where the user said nothing.
pub(crate) fn with_image(mut config: Config, image: &ImageDefaults) -> Config {
    // A new program does not go with the old one's arguments.
    if config.entrypoint.is_none() {
        if config.cmd.is_none() {
            config.cmd.clone_from(&image.cmd);
        }
        config.entrypoint.clone_from(&image.entrypoint);
    }
    config.env = merge_env(&image.env, &config.env);
    if config.user.is_empty() {
        config.user.clone_from(&image.user);
    }
    if config.working_dir.is_empty() {
        config.working_dir.clone_from(&image.working_dir);
    }
    if config.stop_signal.is_none() {
        config.stop_signal.clone_from(&image.stop_signal);
    }
    if config.stop_timeout.is_none() {
        config.stop_timeout = image.stop_timeout.map(i64::from);
    }
    if config.shell.is_none() {
        config.shell.clone_from(&image.shell);
    }
    let mut labels = image.labels.clone();
    labels.append(&mut config.labels);
    config.labels = labels;
    config
        .exposed_ports
        .extend(image.exposed_ports.keys().cloned());
    config.volumes.extend(image.volumes.keys().cloned());
    config.healthcheck = match (config.healthcheck, image.healthcheck.as_ref().map(health)) {
        (Some(asked), Some(image)) => Some(completed(asked, image)),
        (asked, image) => asked.or(image),
    };
    config
}

/// What was asked for, with the image's word where nothing was said.
fn completed(asked: Healthcheck, image: Healthcheck) -> Healthcheck {
    let or = |asked: i64, image: i64| if asked == 0 { image } else { asked };
    Healthcheck {
        test: if asked.test.is_empty() {
            image.test
        } else {
            asked.test
        },
        interval: or(asked.interval, image.interval),
        timeout: or(asked.timeout, image.timeout),
        start_period: or(asked.start_period, image.start_period),
        start_interval: or(asked.start_interval, image.start_interval),
        retries: or(asked.retries, image.retries),
    }
}

fn health(image: &spec::image::Healthcheck) -> Healthcheck {
    Healthcheck {
        test: image.test.clone(),
        interval: image.interval.unwrap_or_default(),
        timeout: image.timeout.unwrap_or_default(),
        start_period: image.start_period.unwrap_or_default(),
        start_interval: image.start_interval.unwrap_or_default(),
        retries: image.retries.unwrap_or_default(),
    }
}

/// The program and its arguments.
///
/// # Errors
/// There is none.
pub(crate) fn program(config: &Config) -> Result<Vec<String>> {
    let entrypoint = config.entrypoint.iter().flatten();
    let args: Vec<String> = entrypoint
        .chain(config.cmd.iter().flatten())
        .cloned()
        .collect();
    // An entrypoint of one empty text is how a command line says "none".
    let args = match args.split_first() {
        Some((first, rest)) if first.is_empty() && config.entrypoint.is_some() => rest.to_vec(),
        _ => args,
    };
    if args.is_empty() {
        return Err(Error::invalid("no command specified")
            .hint("the image names no program: give one after the image, or --entrypoint"));
    }
    Ok(args)
}

fn name_of(variable: &str) -> &str {
    variable.split_once('=').map_or(variable, |(name, _)| name)
}

/// `base` with the variables of `over`, which replace those of the same name in their place.
pub(crate) fn merge_env(base: &[String], over: &[String]) -> Vec<String> {
    let mut merged: Vec<String> = base.to_vec();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for (place, variable) in merged.iter().enumerate() {
        places.insert(name_of(variable).to_owned(), place);
    }
    for variable in over {
        match places.get(name_of(variable)) {
            Some(&place) => merged[place].clone_from(variable),
            None => {
                places.insert(name_of(variable).to_owned(), merged.len());
                merged.push(variable.clone());
            }
        }
    }
    merged
}

/// What the program's environment is: the engine's own variables, then the container's, without those that are only a name,
/// which takes a variable away.
pub(crate) fn environment(config: &Config, hostname: &str) -> Vec<String> {
    let mut own = vec![
        format!("PATH={}", spec::profile::PATH),
        format!("HOSTNAME={hostname}"),
    ];
    if config.tty {
        own.push("TERM=xterm".to_owned());
    }
    let mut all = merge_env(&own, &config.env);
    all.retain(|variable| variable.contains('='));
    all
}
