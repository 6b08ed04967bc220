use super::*;

#[test]
fn messages_come_out_whole_however_they_came_in() {
    let messages = [vec![1; 12], vec![2; 300], vec![3; 13]];
    let stream: Vec<u8> = messages.iter().flat_map(|m| frame(m).unwrap()).collect();
    for size in [1, 2, 3, 7, 14, 500] {
        let (mut frames, mut out) = (Frames::default(), Vec::new());
        for chunk in stream.chunks(size) {
            frames.push(chunk);
            while let Some(message) = frames.pop().unwrap() {
                out.push(message);
            }
        }
        assert_eq!(out, messages, "{size}");
        assert!(frames.is_empty());
    }
}

#[test]
fn lengths_that_no_message_has_end_the_stream() {
    for length in [0_u16, 1, 11, 4097, 65535] {
        let mut frames = Frames::limited(4096);
        frames.push(&length.to_be_bytes());
        assert_eq!(frames.pop(), Err(Malformed), "{length}");
    }
    assert!(frame(&vec![0; 65_536]).is_err());
}
