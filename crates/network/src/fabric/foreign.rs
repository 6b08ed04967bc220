//! Other firewalls on the host. What any table drops is dropped; ours can't accept for others.
//!
//! Docker has a chain for whoever must be let past its own rules, `DOCKER-USER`: there our bridges are accepted (our own table still decides what of that passes).
//! No other foreign chain is touched: what ufw, firewalld or an administrator's policy refuses stays refused, and is said.

use kernel::netlink::Socket;
use kernel::netlink::expression::{Expression, Meta, Register, Verdict};
use kernel::netlink::nft::{self, Batch, Family};

use super::Warning;
use crate::error::{Doing, Result};

const FAMILIES: [Family; 2] = [Family::Ip, Family::Ip6];
const TABLE: &str = "filter";
const FOR_OTHERS: &str = "DOCKER-USER";

/// The mark beside our rules, as iptables and nft show a comment: its kind (0), its length with the NUL, the text.
fn mark(tag: &str, bridge: &str) -> Vec<u8> {
    let text = format!("tare{tag}:{bridge}");
    let mut bytes = vec![0, u8::try_from(text.len() + 1).unwrap_or(u8::MAX)];
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(0);
    bytes
}

/// Lets a bridge past Docker's rules, and says who else refuses to forward.
pub(super) fn pass(socket: &Socket, tag: &str, bridge: &str) -> Result<Vec<Warning>> {
    for family in FAMILIES {
        if is_closed(socket, family)? && has_docker(socket, family)? {
            accept(socket, family, tag, bridge)?;
        }
    }
    objections(socket, bridge)
}

fn is_closed(socket: &Socket, family: Family) -> Result<bool> {
    let forward =
        nft::chain(socket, family, TABLE, "FORWARD").doing("can't read the rules of the host")?;
    Ok(forward.is_some_and(|chain| !chain.accepts))
}

fn has_docker(socket: &Socket, family: Family) -> Result<bool> {
    let docker =
        nft::chain(socket, family, TABLE, FOR_OTHERS).doing("can't read the rules of the host")?;
    Ok(docker.is_some())
}

/// Who refuses to forward for a bridge, and is not asked not to.
pub(super) fn objections(socket: &Socket, bridge: &str) -> Result<Vec<Warning>> {
    let mut warnings = Vec::new();
    for family in FAMILIES {
        if is_closed(socket, family)? && !has_docker(socket, family)? {
            warnings.push(refused(socket, family, bridge)?);
        }
    }
    // firewalld refuses at the end of its chain, whatever its policy says.
    let firewalld = nft::chain(socket, Family::Inet, "firewalld", "filter_FORWARD")
        .doing("can't read the rules of the host")?;
    if firewalld.is_some() {
        warnings.push(Warning {
            message: format!("firewalld may refuse to forward what containers on {bridge} send and receive, published ports too"),
            hint: Some(format!(
                "firewall-cmd --permanent --zone=trusted --add-interface={bridge} && firewall-cmd --reload"
            )),
        });
    }
    Ok(warnings)
}

fn refused(socket: &Socket, family: Family, bridge: &str) -> Result<Warning> {
    let (program, number) = match family {
        Family::Ip6 => ("ip6tables", 6),
        _ => ("iptables", 4),
    };
    let ufw = nft::chain(
        socket,
        family,
        TABLE,
        if number == 6 {
            "ufw6-before-forward"
        } else {
            "ufw-before-forward"
        },
    )
    .doing("can't read the rules of the host")?;
    Ok(if ufw.is_some() {
        Warning {
            message: format!(
                "ufw refuses to forward IPv{number}: what containers on {bridge} send and receive is dropped, published ports too"
            ),
            hint: Some(format!(
                "ufw route allow in on {bridge}, and for published ports: ufw route allow out on {bridge} to any port CONTAINER_PORT"
            )),
        }
    } else {
        Warning {
            message: format!(
                "the policy of {program}'s chain FORWARD is DROP: what containers on {bridge} send and receive over IPv{number} is dropped, published ports too"
            ),
            hint: Some(format!(
                "{program} -I FORWARD -i {bridge} -j ACCEPT && {program} -I FORWARD -o {bridge} -j ACCEPT"
            )),
        }
    })
}

/// Behind the administrator's own rules, whose refusals hold, and before the `RETURN` that Docker puts at the end.
fn accept(socket: &Socket, family: Family, tag: &str, bridge: &str) -> Result<()> {
    let rules =
        nft::rules(socket, family, TABLE, FOR_OTHERS).doing("can't read the rules of Docker")?;
    let mark = mark(tag, bridge);
    if rules.iter().any(|rule| rule.mark == mark) {
        return Ok(());
    }
    let last = rules.last().filter(|rule| {
        rule.expressions
            .iter()
            .all(|name| name == "counter" || name == "immediate")
    });
    let mut name = bridge.as_bytes().to_vec();
    name.push(0);
    let mut batch = Batch::new(family, TABLE);
    for link in [Meta::InName, Meta::OutName] {
        // What `iptables-nft` makes of `-i BRIDGE -j ACCEPT`, so that it can list it.
        let rule = [
            Expression::Meta(link, Register::FIRST),
            Expression::Equal(&name),
            Expression::Count,
            Expression::End(Verdict::Accept),
        ];
        match last {
            Some(last) => batch.insert_rule(FOR_OTHERS, Some(last.handle), &mark, &rule),
            None => batch.append_rule(FOR_OTHERS, &mark, &rule),
        }
    }
    batch
        .commit(socket)
        .doing("can't let the bridge past Docker's rules")
}

/// Takes our rules out of Docker's chain: those of one bridge, or all.
pub(super) fn withdraw(socket: &Socket, tag: &str, bridge: Option<&str>) -> Result<usize> {
    let mut count = 0;
    for family in FAMILIES {
        let prefix = format!("tare{tag}:");
        let ours = |rule: &nft::Rule| match bridge {
            Some(bridge) => rule.mark == mark(tag, bridge),
            None => rule
                .mark
                .get(2..)
                .is_some_and(|text| text.starts_with(prefix.as_bytes())),
        };
        let rules = nft::rules(socket, family, TABLE, FOR_OTHERS)
            .doing("can't read the rules of Docker")?;
        let mut batch = Batch::new(family, TABLE);
        for rule in rules.iter().filter(|rule| ours(rule)) {
            batch.delete_rule(FOR_OTHERS, rule.handle);
            count += 1;
        }
        batch
            .commit(socket)
            .doing("can't take our rules out of Docker's chain")?;
    }
    Ok(count)
}
