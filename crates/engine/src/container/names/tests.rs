use super::*;

#[test]
fn what_is_made_up_is_a_name() {
    for random in [[0, 0], [63, 63], [255, 1]] {
        for number in [None, Some(3)] {
            let name = make_up(random, number);
            assert!(name.parse::<spec::Name>().is_ok(), "{name}");
        }
    }
    let id = ContainerId::from_bytes([0xab; 32]);
    let name = unlikely(&id);
    assert!(name.parse::<spec::Name>().is_ok(), "{name}");
    assert_ne!(name, unlikely(&ContainerId::from_bytes([0xac; 32])));
}

#[test]
fn a_name_is_free_or_made_of_more() {
    let mut asked = 0;
    let name = free(|_| {
        asked += 1;
        Ok(asked < 4)
    });
    assert!(name.is_ok() && asked == 4);
    // All are taken: the last resort is not asked for.
    assert!(free(|_| Ok(true)).is_ok_and(|name| name.len() == 16));
}
