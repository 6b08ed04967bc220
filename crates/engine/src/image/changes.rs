//! Instructions that change an image's configuration, as in a Dockerfile. Pure.

#[cfg(test)]
mod tests;

use spec::image::Config;

use crate::error::{Error, Result};

/// Applies the instructions in order.
pub(crate) fn apply(config: &mut Config, changes: &[String]) -> Result<()> {
    for line in changes.iter().flat_map(|c| c.lines()) {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            one(config, line)?;
        }
    }
    Ok(())
}

fn one(config: &mut Config, line: &str) -> Result<()> {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let word = word.to_ascii_uppercase();
    let need = |count: bool| {
        if count {
            Ok(())
        } else {
            Err(Error::invalid(format!(
                "{word} requires at least one argument"
            )))
        }
    };
    match word.as_str() {
        "CMD" => config.cmd = Some(command(rest)),
        "ENTRYPOINT" => config.entrypoint = Some(command(rest)),
        "ENV" => {
            need(!rest.is_empty())?;
            for (name, value) in pairs(&word, rest)? {
                let variable = format!("{name}={value}");
                let env = std::mem::take(&mut config.env);
                config.env = crate::container::merge::merge_env(&env, &[variable]);
            }
        }
        "LABEL" => {
            need(!rest.is_empty())?;
            config.labels.extend(pairs(&word, rest)?);
        }
        "EXPOSE" => {
            need(!rest.is_empty())?;
            for port in words(rest) {
                let port = expose(&port)?;
                config.exposed_ports.insert(port, spec::image::Empty {});
            }
        }
        "USER" => {
            need(!rest.is_empty())?;
            rest.clone_into(&mut config.user);
        }
        "VOLUME" => {
            need(!rest.is_empty())?;
            for path in array(rest).unwrap_or_else(|| words(rest)) {
                config.volumes.insert(path, spec::image::Empty {});
            }
        }
        "WORKDIR" => {
            need(!rest.is_empty())?;
            let base = if config.working_dir.is_empty() {
                "/"
            } else {
                &config.working_dir
            };
            let path = if rest.starts_with('/') {
                rest.to_owned()
            } else {
                format!("{base}/{rest}")
            };
            config.working_dir = crate::container::mounts::clean(&path);
        }
        "STOPSIGNAL" => {
            if kernel::signal::parse(rest).is_none() {
                return Err(Error::invalid(format!("invalid signal: {rest}")));
            }
            config.stop_signal = Some(rest.to_owned());
        }
        "ONBUILD" => {
            need(!rest.is_empty())?;
            config
                .on_build
                .get_or_insert_default()
                .push(rest.to_owned());
        }
        _ => {
            return Err(Error::invalid(format!(
                "{word} is not a valid change command"
            )));
        }
    }
    Ok(())
}

/// `["a", "b"]`, or a text for the shell.
fn command(rest: &str) -> Vec<String> {
    match array(rest) {
        Some(words) => words,
        None if rest.is_empty() => Vec::new(),
        None => vec!["/bin/sh".to_owned(), "-c".to_owned(), rest.to_owned()],
    }
}

fn array(rest: &str) -> Option<Vec<String>> {
    rest.starts_with('[')
        .then(|| serde_json::from_str(rest).ok())?
}

fn expose(port: &str) -> Result<String> {
    let invalid = || Error::invalid(format!("invalid containerPort: {port}"));
    let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
    let good = |n: &str| n.parse::<u16>().is_ok_and(|n| n > 0);
    let (from, to) = number.split_once('-').unwrap_or((number, number));
    let protocol = protocol.to_ascii_lowercase();
    if !good(from) || !good(to) || !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(invalid());
    }
    Ok(format!("{number}/{protocol}"))
}

/// `name=value …`, or the old `name value`.
fn pairs(word: &str, rest: &str) -> Result<Vec<(String, String)>> {
    let all = words(rest);
    if !all.first().is_some_and(|w| w.contains('=')) {
        let (name, value) = rest
            .split_once(char::is_whitespace)
            .ok_or_else(|| Error::invalid(format!("{word} must have two arguments")))?;
        return Ok(vec![(name.to_owned(), value.trim().to_owned())]);
    }
    all.into_iter()
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
            _ => Err(Error::invalid(format!(
                "Syntax error - can't find = in {pair:?}"
            ))),
        })
        .collect()
}

/// Words, with quotes and backslashes as in a shell.
fn words(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, c) if c.is_whitespace() => all.extend(word.take()),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(q), c) if c == q => quote = None,
            (None | Some('"'), '\\') => {
                word.get_or_insert_default()
                    .push(chars.next().unwrap_or('\\'));
            }
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    all.extend(word);
    all
}
