/**
 * Stands for src/kernel/netlink/agent/agent-program.ts in tests (an alias in vitest.config.ts): Node runs no TypeScript,
 * so the agent's program is compiled from the source that is tested, once for each state of that source.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SOURCES = path.join(ROOT, "src");
const ENTRY = "kernel/netlink/agent/agent-main";
const CACHE = path.join(ROOT, "node_modules/.cache/sluice-agent");

/** The program and what it imports of ours, by path below src without extension. */
function sources(name: string, found = new Map<string, string>()): Map<string, string> {
  if (found.has(name)) return found;
  const text = readFileSync(path.join(SOURCES, `${name}.ts`), "utf8");
  found.set(name, text);
  for (const [, target] of text.matchAll(/from "(\.[^"]+)\.js"/g)) {
    sources(path.join(path.dirname(name), target ?? ""), found);
  }
  return found;
}

function compiled(): string {
  const files = sources(ENTRY);
  const state = createHash("sha256")
    .update(JSON.stringify([...files]))
    .digest("hex")
    .slice(0, 16);
  const folder = path.join(CACHE, state);
  const program = path.join(folder, `${ENTRY}.js`);
  if (existsSync(program)) return program;
  const made = `${folder}.${process.pid}`;
  const options = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true };
  for (const [name, text] of files) {
    const file = path.join(made, `${name}.js`);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, ts.transpileModule(text, { compilerOptions: options }).outputText);
  }
  writeFileSync(path.join(made, "package.json"), `{ "type": "module" }\n`);
  try {
    renameSync(made, folder);
  } catch {
    // Another test was quicker.
    rmSync(made, { recursive: true, force: true });
  }
  return program;
}

export const AGENT_PROGRAM = compiled();
