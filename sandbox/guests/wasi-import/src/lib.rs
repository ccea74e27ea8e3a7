//! Stopped by: the look at its imports, before anything runs.

wit_bindgen::generate!({
    inline: "
        package wasi:clocks@0.2.0;
        interface wall-clock { now: func() -> u64; }
        world clocked {
            import wall-clock;
            export run: func() -> result<_, string>;
        }
    ",
    world: "clocked",
});

struct Clocked;

impl Guest for Clocked {
    fn run() -> Result<(), String> {
        match wasi::clocks::wall_clock::now() {
            0 => Err("no time".to_owned()),
            _ => Ok(()),
        }
    }
}

export!(Clocked);
