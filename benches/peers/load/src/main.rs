//! The one client for all servers that are compared: the kernel's sockets, one thread, and the same code whoever
//! answers. Each call is one measurement; the figures are written as lines of `NAME VALUE`.

mod arguments;
mod bulk;
mod echo;
mod http;
mod latency;
mod short;
mod socket;
mod turns;
mod usage;

use std::env;
use std::io;
use std::process::ExitCode;

use arguments::{Arguments, USAGE, Work};

/// A figure with its name, in which its unit is.
pub type Figure = (&'static str, f64);

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let arguments = match Arguments::parse(&words) {
        Ok(arguments) => arguments,
        Err(why) => {
            eprintln!("load: {why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match measure(&arguments) {
        Ok(figures) => {
            for (name, value) in figures {
                println!("{name} {value:.4}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("load: {}: {error}", arguments.server);
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> io::Result<Vec<Figure>> {
    match arguments.work {
        Work::Down | Work::Up => bulk::measure(arguments),
        Work::Long => http::measure(arguments),
        Work::Short => short::measure(arguments),
        Work::Echo => echo::measure(arguments),
    }
}
