use super::message::{Attributes, Message, split};

#[test]
fn attributes_are_read_as_they_were_written() {
    let mut message = Message::new(16, 0x400).body(&[7; 16]);
    message.put_text(3, "eth0");
    message.nest(18, |inner| {
        inner.put_u32(1, 0x0102_0304);
        inner.put_be32(2, 5);
        inner.put(3, &[9]);
    });
    let bytes = message.finish(42).unwrap().to_vec();
    let twice = [bytes.clone(), bytes].concat();
    let replies: Vec<_> = split(&twice).collect();
    assert_eq!(replies.len(), 2);
    let attributes = replies[1].attributes(16);
    assert_eq!((replies[1].kind, replies[1].sequence), (16, 42));
    assert_eq!(attributes.text(3), Some("eth0"));
    assert_eq!(attributes.nested(18).u32(1), Some(0x0102_0304));
    assert_eq!(attributes.nested(18).be32(2), Some(5));
    assert_eq!(attributes.nested(18).get(3), Some([9].as_slice()));
    assert_eq!(attributes.get(99), None);
}

#[test]
fn what_does_not_fit_is_never_cut_short() {
    let mut message = Message::new(16, 0);
    message.put(1, &vec![0; 70_000]);
    assert!(message.finish(1).is_none());
    let mut message = Message::new(16, 0);
    message.nest(1, |inner| (0..20_000).for_each(|n| inner.put_u32(1, n)));
    assert!(message.finish(1).is_none());
    let mut message = Message::new(16, 0);
    message.put_text(3, "eth\0evil");
    assert!(message.finish(1).is_none());
}

/// Replies come from the kernel, but lengths in them are not believed.
#[test]
fn broken_replies_end_the_reading() {
    let mut message = Message::new(16, 0).body(&[0; 4]);
    message.put_text(3, "eth0");
    let bytes = message.finish(1).unwrap().to_vec();
    for cut in 0..bytes.len() {
        for reply in split(&bytes[..cut]) {
            assert!(reply.payload.len() <= cut);
        }
    }
    for at in 0..bytes.len() {
        for value in [0, 1, 3, 255] {
            let mut broken = bytes.clone();
            broken[at] = value;
            for reply in split(&broken) {
                assert!(reply.attributes(4).count() < 64);
            }
        }
    }
    for length in 0_u16..4 {
        let bytes = [length.to_ne_bytes(), 1_u16.to_ne_bytes()].concat();
        assert_eq!(Attributes(&bytes).count(), 0);
    }
}
