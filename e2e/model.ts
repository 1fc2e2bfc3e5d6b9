// The scripted model server of crates/testkit: real HTTP, real provider formats, answers chosen by the test.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, writeFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { later, ROOT, until } from "./harness.ts";

export type Step =
  | { thinking: string }
  | { text: string }
  | { tool: { name: string; args: unknown } }
  | { wait: string }
  | { pace: number };

export class Model {
  private constructor(readonly url: string, readonly child: ChildProcess) {}

  static async start(): Promise<Model> {
    const program = process.env.PIZZAPI_SCRIPTED_MODEL ?? join(ROOT, "target/debug/scripted-model");
    if (!existsSync(program)) throw new Error(`${program} is missing: build it with \`cargo build -p pizzapi-testkit\``);
    const child = spawn(program, [], { stdio: ["ignore", "pipe", "inherit"] });
    later(() => void child.kill("SIGKILL"));
    let output = "";
    child.stdout.on("data", (data: Buffer) => (output += data.toString()));
    const url = await until("the scripted model", () => output.match(/http:\S+/)?.[0]);
    return new Model(url, child);
  }

  /** The next requests get these answers, one each. */
  async script(...replies: Step[][]): Promise<void> {
    await this.post("/_script", { replies: replies.map((steps) => ({ steps })) });
  }

  async open(gate: string): Promise<void> {
    await this.post(`/_gate/${gate}`, {});
  }

  async requests(): Promise<{ path: string; body: any }[]> {
    return (await (await fetch(`${this.url}/_requests`)).json()) as { path: string; body: any }[];
  }

  private async post(path: string, body: unknown): Promise<void> {
    const answer = await fetch(this.url + path, {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  }

  /** A home directory whose only model is this one. */
  configure(home: string, relay: { url: string }, apiKey: string): void {
    mkdirSync(home, { recursive: true });
    const models = [{ id: "scripted", name: "Scripted", reasoning: true, contextWindow: 200_000, maxTokens: 8_192 }];
    const provider = { baseUrl: this.url, api: "anthropic-messages", apiKey: "test-key", models };
    writeFileSync(join(home, "models.json"), JSON.stringify({ providers: { scripted: provider } }));
    writeFileSync(join(home, "config.json"), JSON.stringify({ apiKey, relayUrl: relay.url.replace("http", "ws") }), { mode: 0o600 });
  }
}
