/** Runs `ebpf-holder.mjs` on the source that is tested, compiled as Node runs no TypeScript, and kills it. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import type { DesiredState, FlowRule } from "../../../src/kernel/port.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const PROGRAM = fileURLToPath(new URL("ebpf-holder.mjs", import.meta.url));
const ENTRY = "kernel/ebpf/open";
/** Started as a process of its own. */
const AGENT = "kernel/netlink/agent/agent-main";
/** Below the packages, so that theirs are found. */
const CACHE = path.join(ROOT, `node_modules/.cache/sluice-holder.${process.pid}`);

function compile(name: string, done: Set<string>): void {
  if (done.has(name)) return;
  done.add(name);
  const text = readFileSync(path.join(ROOT, "src", `${name}.ts`), "utf8");
  const options = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true };
  const file = path.join(CACHE, `${name}.js`);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, ts.transpileModule(text, { compilerOptions: options }).outputText);
  for (const [, target = ""] of text.matchAll(/from "(\.[^"]+)\.js"/g))
    compile(path.join(path.dirname(name), target), done);
}

/** The file that gives `openEbpfKernel`; `forget` removes it. */
export function compileHolder(): { readonly file: string; forget(): void } {
  const done = new Set<string>();
  for (const name of [ENTRY, AGENT]) compile(name, done);
  writeFileSync(path.join(CACHE, "package.json"), `{ "type": "module" }\n`);
  return { file: path.join(CACHE, `${ENTRY}.js`), forget: () => rmSync(CACHE, { recursive: true, force: true }) };
}

export class Holder {
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  /** What it had to change, once the kernel is as it is wanted. */
  readonly held: Promise<readonly string[]>;

  constructor(program: string, table: string, wanted: DesiredState, churned: readonly FlowRule[]) {
    this.#child = spawn(process.execPath, [PROGRAM, program, table], { stdio: ["pipe", "pipe", "pipe"] });
    const { stdin, stdout, stderr } = this.#child;
    let trouble = "";
    stderr?.on("data", (text: Buffer) => {
      trouble += text.toString();
    });
    this.#exited = new Promise((resolve) => this.#child.once("exit", () => resolve()));
    this.held = new Promise((resolve, reject) => {
      if (stdout !== null)
        createInterface({ input: stdout }).once("line", (line) =>
          resolve((JSON.parse(line) as { readonly changes: readonly string[] }).changes),
        );
      void this.#exited.then(() => reject(new Error(`the holder ended: ${trouble}`)));
    });
    const { flows, pools, tunnels: _, ...local } = wanted;
    stdin?.on("error", () => undefined);
    stdin?.end(JSON.stringify({ ...local, churned, flows: [...flows], pools: [...pools] }));
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}
