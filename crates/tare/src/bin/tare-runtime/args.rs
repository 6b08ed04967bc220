//! Arguments as Go's programs take them: `--name value`, `--name=value`, `-name value`; `--` ends the flags.

use crate::fault::{Fault, Result};

/// A flag of a command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flag {
    pub(crate) name: &'static str,
    /// Another name, or none.
    pub(crate) short: &'static str,
    /// What its value is called; empty for a switch.
    pub(crate) value: &'static str,
    pub(crate) about: &'static str,
}

impl Flag {
    /// One that is on or off.
    pub(crate) const fn switch(
        name: &'static str,
        short: &'static str,
        about: &'static str,
    ) -> Self {
        Self::option(name, short, "", about)
    }

    /// One with a value.
    pub(crate) const fn option(
        name: &'static str,
        short: &'static str,
        value: &'static str,
        about: &'static str,
    ) -> Self {
        Self {
            name,
            short,
            value,
            about,
        }
    }

    fn is(&self, name: &str) -> bool {
        self.name == name || (!self.short.is_empty() && self.short == name)
    }
}

/// Where flags may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Before and after the arguments.
    Anywhere,
    /// Before the first argument: what follows is another program's.
    First,
}

/// What was given.
#[derive(Debug)]
pub(crate) struct Given {
    known: &'static [Flag],
    flags: Vec<(&'static str, String)>,
    plain: Vec<String>,
    /// Whether help was asked for.
    pub(crate) help: bool,
}

impl Given {
    pub(crate) fn read(known: &'static [Flag], order: Order, args: Vec<String>) -> Result<Self> {
        let mut given = Self {
            known,
            flags: Vec::new(),
            plain: Vec::new(),
            help: false,
        };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            if arg == "--" {
                break;
            }
            let name = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-'));
            let Some(name) = name.filter(|name| !name.is_empty()) else {
                given.plain.push(arg);
                match order {
                    Order::Anywhere => continue,
                    Order::First => break,
                }
            };
            let (name, attached) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (name, None),
            };
            given.flag(name, attached, &mut args)?;
        }
        given.plain.extend(args);
        Ok(given)
    }

    fn flag(
        &mut self,
        name: &str,
        attached: Option<String>,
        args: &mut impl Iterator<Item = String>,
    ) -> Result<()> {
        let Some(flag) = self.known.iter().find(|f| f.is(name)) else {
            if matches!(name, "help" | "h") {
                self.help = true;
                return Ok(());
            }
            return Err(Fault::usage(format!("no such option: --{name}")));
        };
        let value = if flag.value.is_empty() {
            switched(flag.name, attached.as_deref())?
        } else {
            attached
                .or_else(|| args.next())
                .ok_or_else(|| Fault::usage(format!("option --{name} needs a value")))?
        };
        self.flags.push((flag.name, value));
        Ok(())
    }

    /// All values of a flag, in order.
    pub(crate) fn all(&self, name: &'static str) -> impl Iterator<Item = &str> {
        debug_assert!(self.known.iter().any(|f| f.name == name), "{name}");
        self.flags
            .iter()
            .filter(move |(n, _)| *n == name)
            .map(|(_, value)| value.as_str())
    }

    /// The value of a flag: the one given last, and not the empty one, which is as if it was not given.
    pub(crate) fn last(&self, name: &'static str) -> Option<&str> {
        self.all(name).last().filter(|value| !value.is_empty())
    }

    /// Whether a switch is on.
    pub(crate) fn is_on(&self, name: &'static str) -> bool {
        self.all(name).last() == Some("true")
    }

    /// The value of a flag as a number.
    pub(crate) fn number<T: std::str::FromStr>(&self, name: &'static str) -> Result<Option<T>> {
        let parsed = |text: &str| {
            text.parse()
                .map_err(|_| Fault::usage(format!("invalid value for --{name}: {text:?}")))
        };
        self.last(name).map(parsed).transpose()
    }

    /// The arguments.
    pub(crate) fn plain(&self) -> &[String] {
        &self.plain
    }

    /// The only argument: a container's id.
    pub(crate) fn id(&self) -> Result<&str> {
        match self.plain.as_slice() {
            [] => Err(missing()),
            [id] => Ok(id),
            [_, more, ..] => Err(too_many(more)),
        }
    }

    /// The first argument, a container's id, and the others.
    pub(crate) fn id_and_rest(&self) -> Result<(&str, &[String])> {
        match self.plain.split_first() {
            Some((id, rest)) => Ok((id, rest)),
            None => Err(missing()),
        }
    }

    /// Makes sure that there are no arguments.
    pub(crate) fn nothing(&self) -> Result<()> {
        match self.plain.first() {
            None => Ok(()),
            Some(more) => Err(too_many(more)),
        }
    }
}

pub(crate) fn too_many(more: &str) -> Fault {
    Fault::usage(format!("one argument too many: {more}"))
}

fn missing() -> Fault {
    Fault::usage("a container's id is missing")
}

/// What a switch was set to.
fn switched(name: &str, value: Option<&str>) -> Result<String> {
    let on = match value {
        None | Some("1" | "t" | "T" | "true" | "TRUE" | "True") => true,
        Some("0" | "f" | "F" | "false" | "FALSE" | "False") => false,
        Some(_) => return Err(Fault::usage(format!("option --{name} is on or off"))),
    };
    Ok(on.to_string())
}

#[cfg(test)]
mod tests;
