// The terminal UI in a real terminal: tmux holds it, types into it and reads its screen.
import { execFileSync } from "node:child_process";
import { later, PROGRAM, until } from "./harness.ts";

const SOCKET = `pizzapi-e2e-${process.pid}`;
let counter = 0;

function tmux(...args: string[]): string {
  return execFileSync("tmux", ["-L", SOCKET, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

export class Terminal {
  private constructor(readonly name: string) {}

  static start(args: string[], cwd: string, env: Record<string, string>): Terminal {
    const name = `t${++counter}`;
    const variables = Object.entries(env).map(([key, value]) => `${key}='${value}'`).join(" ");
    const command = `env -u TMUX ${variables} '${PROGRAM}' ${args.join(" ")}; echo "ended with $?"; exec sleep 1000`;
    tmux("-f", "/dev/null", "new-session", "-d", "-s", name, "-x", "110", "-y", "40", "-c", cwd, command);
    later(() => {
      try {
        tmux("kill-session", "-t", name);
      } catch {
        // It may have ended by itself.
      }
    });
    return new Terminal(name);
  }

  screen(): string {
    return tmux("capture-pane", "-p", "-t", this.name);
  }

  type(text: string): void {
    tmux("send-keys", "-t", this.name, "-l", text);
  }

  key(...keys: string[]): void {
    tmux("send-keys", "-t", this.name, ...keys);
  }

  async sees(text: string | RegExp, timeoutMs = 20_000): Promise<string> {
    let screen = "";
    try {
      return await until(`${text} in the terminal`, () => {
        screen = this.screen();
        const found = typeof text === "string" ? screen.includes(text) : text.test(screen);
        return found ? screen : undefined;
      }, timeoutMs);
    } catch (error) {
      throw new Error(`${String(error)}\n${screen}`);
    }
  }
}
