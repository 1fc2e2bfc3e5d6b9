// Checks the built files against the sizes we promise. Gzip, as most servers send them.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { fileURLToPath } from "node:url";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const manifest = JSON.parse(readFileSync(join(dist, ".vite/manifest.json"), "utf8"));
const KB = 1_000;
const sizes = new Map();
const size = (file) => {
  if (!sizes.has(file)) sizes.set(file, gzipSync(readFileSync(join(dist, file)), { level: 9 }).length);
  return sizes.get(file);
};

/** All files a set of modules needs before it runs. */
function closure(keys, seen = new Set()) {
  for (const key of keys) {
    if (seen.has(key) || !manifest[key]) continue;
    seen.add(key);
    closure(manifest[key].imports ?? [], seen);
  }
  return seen;
}
const js = (keys, without = new Set()) => [...closure(keys)].filter((key) => !without.has(key)).reduce((sum, key) => sum + size(manifest[key].file), 0);
const find = (suffix) => Object.keys(manifest).find((key) => key.endsWith(suffix) && manifest[key].isDynamicEntry);

const entry = Object.keys(manifest).find((key) => manifest[key].isEntry);
const shell = [entry, find("src/app/Workspace.tsx")];
// What several lazily loaded screens have in common is counted with none of them.
const shared = closure([...shell, find("features/session/index.ts"), find("data/Queries.tsx"), find("data/queries.ts")].filter(Boolean));
const parts = [
  ["sign-in", js([entry, find("features/auth/index.ts")]), 85],
  ["shell + session", js([...shell, find("features/session/index.ts")]), 235],
  ["home (beyond the session)", js([find("features/home/index.ts")], shared), 30],
  ["terminal", js([find("features/terminal/index.ts")], shared), 95],
  ["runners", js([find("features/runners/index.ts")], shared), 45],
  ["settings + keys", js([find("features/settings/index.ts"), find("features/keys/Keys.tsx")].filter(Boolean), shared), 30],
  ["usage", js([find("features/usage/index.ts")], shared), 12],
  ["palette", js([find("features/palette/index.ts")], shared), 8],
].filter(([, bytes]) => bytes > 0);
const assets = readdirSync(join(dist, "assets"));
const sum = (test) => assets.filter((file) => test.test(file)).reduce((total, file) => total + size(`assets/${file}`), 0);
parts.push(["CSS", sum(/\.css$/), 20], ["fonts", assets.filter((file) => /latin-wght/.test(file)).reduce((total, file) => total + readFileSync(join(dist, "assets", file)).length, 0), 60]);

let failed = false;
for (const [name, bytes, limit] of parts) {
  const over = bytes > limit * KB;
  failed ||= over;
  console.log(`${over ? "OVER" : " ok "}  ${name.padEnd(28)} ${(bytes / KB).toFixed(1).padStart(7)} KB of ${limit}`);
}
process.exit(failed ? 1 : 0);
