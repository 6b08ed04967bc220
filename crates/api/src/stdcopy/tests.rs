use super::*;

fn collect(decoder: &mut Decoder, bytes: &[u8], piece: usize) -> Vec<(Stream, Vec<u8>)> {
    let mut all: Vec<(Stream, Vec<u8>)> = Vec::new();
    for mut chunk in bytes.chunks(piece) {
        while let Some((stream, payload)) = decoder.next(&mut chunk).unwrap() {
            match all.last_mut() {
                Some((last, whole)) if *last == stream => whole.extend_from_slice(payload),
                _ => all.push((stream, payload.to_vec())),
            }
        }
    }
    all
}

#[test]
fn frames_survive_any_cut() {
    let mut bytes = frame(Stream::Stdout, b"hello ");
    bytes.extend(frame(Stream::Stdout, b""));
    bytes.extend(frame(Stream::Stdout, b"world"));
    bytes.extend(frame(Stream::Stderr, &[7; 300]));
    bytes.extend(frame(Stream::System, b"lost"));
    for piece in 1..bytes.len() {
        let mut decoder = Decoder::new();
        assert_eq!(
            collect(&mut decoder, &bytes, piece),
            [
                (Stream::Stdout, b"hello world".to_vec()),
                (Stream::Stderr, vec![7; 300]),
                (Stream::System, b"lost".to_vec()),
            ]
        );
        assert!(decoder.at_end());
    }
}

#[test]
fn a_cut_frame_is_noticed_and_no_frame_is_refused() {
    let mut decoder = Decoder::new();
    collect(&mut decoder, &frame(Stream::Stdout, b"hello")[..10], 3);
    assert!(!decoder.at_end());
    let mut text: &[u8] = b"not frames at all";
    assert_eq!(Decoder::new().next(&mut text), Err(BadFrame(b'n')));
}

#[test]
fn header_bytes() {
    assert_eq!(
        header(Stream::Stderr, 0x0102_0304),
        [2, 0, 0, 0, 1, 2, 3, 4]
    );
}
