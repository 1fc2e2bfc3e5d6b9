//! `pizzapi`: call the library, say what went wrong, exit.

fn main() -> std::process::ExitCode {
    pizzapi_cli::main()
}
