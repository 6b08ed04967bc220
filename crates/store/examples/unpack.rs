//! Times a layer's way into a store, for docs/adr/0001: `unpack erofs|directory TAR STORE`.

#![allow(clippy::print_stdout, reason = "prints figures")]

use std::error::Error;
use std::fs::File;
use std::path::PathBuf;
use std::time::Instant;

use store::{Config, Format, Options, Store};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let format = match args.next().as_deref() {
        Some("erofs") => Format::Erofs,
        Some("directory") => Format::Directory,
        _ => return Err("usage: unpack erofs|directory TAR STORE".into()),
    };
    let tar = args.next().ok_or("no tar")?;
    let place = PathBuf::from(args.next().ok_or("no store")?);
    let config = Config {
        root: place.join("root"),
        run: place.join("run"),
    };
    let db = state::Db::open(&config.root.join("tare.db"))?;
    let store = Store::open_with(
        config,
        db,
        Options {
            format: Some(format),
            ..Options::default()
        },
    )?;
    let timed =
        |what: &str, start: Instant| println!("{what:10} {:8.4} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    let pending = store.receive(File::open(tar)?)?;
    timed("receive", start);
    let middle = Instant::now();
    let layer = pending.finish(&[])?;
    timed("finish", middle);
    timed("together", start);
    println!(
        "on disk    {:8} KiB of {} KiB",
        layer.disk_size / 1024,
        layer.size / 1024
    );
    let start = Instant::now();
    let view = store.view(&[layer.id])?;
    timed("mount", start);
    let start = Instant::now();
    drop(store.view(&[layer.id])?);
    timed("again", start);
    drop(view);
    let start = Instant::now();
    store.verify_layer(&layer.id)?;
    timed("verify", start);
    let start = Instant::now();
    store.remove_layer(&layer.id)?;
    timed("remove", start);
    store.unmount_all()?;
    Ok(())
}
