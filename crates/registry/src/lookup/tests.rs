use super::*;

#[test]
fn resolv_conf() {
    let resolv = Resolv::parse(
        "# x\nnameserver 10.0.0.1\nnameserver fe80::1%eth0\nnameserver nonsense\nsearch a.example b.example.\noptions ndots:2 timeout:1 attempts:9 edns0\n",
    );
    assert_eq!(resolv.servers.len(), 2);
    assert_eq!((resolv.ndots, resolv.attempts), (2, 5));
    assert_eq!(
        resolv.candidates("x.y"),
        ["x.y.a.example", "x.y.b.example", "x.y"]
    );
    assert_eq!(resolv.candidates("x.y.z")[0], "x.y.z");
    assert_eq!(resolv.candidates("x."), ["x"]);
    assert_eq!(
        Resolv::parse("").servers,
        [SocketAddr::from(([127, 0, 0, 1], 53))]
    );
}

#[test]
fn hosts_file() {
    let text = "127.0.0.1 localhost # me\n10.1.2.3\tregistry.test Registry2.TEST\n::1 localhost\nbad line\n";
    assert_eq!(
        in_hosts(text, "registry2.test"),
        [IpAddr::from([10, 1, 2, 3])]
    );
    assert_eq!(in_hosts(text, "localhost").len(), 2);
    assert!(in_hosts(text, "me").is_empty());
}

fn reply(question: &[u8], records: &[(u16, &[u8])]) -> Vec<u8> {
    let mut message = question.to_vec();
    message[2] |= 0x80;
    message[7] = u8::try_from(records.len()).unwrap();
    for (kind, data) in records {
        message.extend([0xc0, 12]);
        message.extend(kind.to_be_bytes());
        message.extend([0, 1, 0, 0, 0, 60]);
        message.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        message.extend(*data);
    }
    message
}

fn question(name: &str, kind: u16) -> Question {
    Question {
        name: Name::parse(name).unwrap(),
        kind,
        class: dns::IN,
    }
}

#[test]
fn answers() {
    let asked = question("a.test", dns::A);
    let message = asked.message(7);
    let good = reply(&message, &[(5, &[0xc0, 12]), (1, &[10, 0, 0, 9])]);
    let parsed = answer(&good, 7, &asked);
    assert_eq!(
        parsed,
        Some(Answer::Addresses(vec![IpAddr::from([10, 0, 0, 9])]))
    );
    assert_eq!(answer(&good, 8, &asked), None);
    assert_eq!(answer(&good, 7, &question("b.test", dns::A)), None);
    for cut in 0..good.len() {
        // No part of it is taken for the whole, and none panics.
        let part = answer(&good[..cut], 7, &asked);
        assert!(!matches!(part, Some(Answer::Addresses(_))), "{cut}");
    }
    let mut gone = reply(&message, &[]);
    gone[3] = 3;
    assert_eq!(answer(&gone, 7, &asked), Some(Answer::Nothing));
    gone[3] = 2;
    assert_eq!(answer(&gone, 7, &asked), Some(Answer::Other));
    gone[2] |= 2;
    assert_eq!(answer(&gone, 7, &asked), Some(Answer::Truncated));
    assert!(Name::parse("a..b").is_err());
}

#[tokio::test(flavor = "current_thread")]
async fn a_server_is_asked() {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    let serve = async {
        let mut buffer = [0; 512];
        for _ in 0..2 {
            let (count, from) = server.recv_from(&mut buffer).await.unwrap();
            let mut forged = reply(&buffer[..count], &[(1, &[6, 6, 6, 6])]);
            forged[0] ^= 0xff;
            server.send_to(&forged, from).await.unwrap();
            let records: &[(u16, &[u8])] = if buffer[count - 3] == 1 {
                &[(1, &[10, 9, 8, 7])]
            } else {
                &[]
            };
            server
                .send_to(&reply(&buffer[..count], records), from)
                .await
                .unwrap();
        }
    };
    let resolv = Resolv {
        servers: vec![address],
        search: vec![],
        ndots: 1,
        patience: Duration::from_secs(5),
        attempts: 1,
    };
    let asked = async {
        tokio::join!(
            ask(&resolv, "x.test", dns::A),
            ask(&resolv, "x.test", dns::AAAA)
        )
    };
    let ((), (v4, v6)) = tokio::join!(serve, asked);
    assert_eq!(v4.unwrap(), [IpAddr::from([10, 9, 8, 7])]);
    assert_eq!(v6.unwrap_err().kind(), io::ErrorKind::NotFound);
}
