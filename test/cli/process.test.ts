import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { controlRequest } from "../../src/control/client.js";
import { compileSource } from "../store/compile.js";

const CONFIG = join(import.meta.dirname, "../../configs/router.yaml");

let directory = "";
let main = "";

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-process-"));
  const dist = compileSource(directory, ["model", "config", "control", "telemetry", "cli"]);
  main = join(dist, "cli/main.js");
  // A role that has a control socket and nothing else; it fails when its name says so.
  mkdirSync(join(dist, "daemon"));
  writeFileSync(
    join(dist, "daemon/run.js"),
    `import { ControlServer } from "../control/server.js";
     export async function runRole(config, { log }) {
       const server = new ControlServer({ path: config.control, routes: { "/v1/health": async () => ({ pid: process.pid }) }, log });
       await server.listen();
       if (config.name === "crash.example") setTimeout(() => { throw new Error("boom"); }, 10);
       return { reload: () => log.info("role.reloaded"), close: () => server.close() };
     }`,
  );
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function start(args: readonly string[]) {
  const child = spawn(process.execPath, [main, ...args]);
  let out = "";
  let err = "";
  const started = new Promise<void>((resolve) => {
    child.stderr.on("data", (data: Buffer) => {
      err += data.toString();
      if (err.includes("role.started")) resolve();
    });
  });
  child.stdout.on("data", (data: Buffer) => {
    out += data.toString();
  });
  const ended = new Promise<Ended>((resolve) => child.on("close", (code) => resolve({ code, out, err })));
  return { child, started, ended };
}

function config(name: string, control: string): string {
  const file = join(directory, `${name}.yaml`);
  const keys = [
    "role: router",
    `name: ${name}`,
    `control: ${control}`,
    'pdp: { servers: ["10.1.0.6:3288"] }',
    "kernel: { interfaces: [ { name: core, rate: 10 Mbit/s, signalling: 256 kbit/s } ] }",
  ];
  writeFileSync(file, `${keys.join("\n")}\n`);
  return file;
}

describe("the sluice command", () => {
  it("checks a file with exit codes 0 and 2, data on stdout and words on stderr", async () => {
    expect(execFileSync(process.execPath, [main, "check", CONFIG], { encoding: "utf8" })).toContain(": ok\n");
    const { code, out, err } = await start(["check", "/nonexistent.yaml"]).ended;
    expect({ code, out, err }).toEqual({
      code: 2,
      out: "",
      err: "/nonexistent.yaml:1:1: there is no such file; check the path given with -c\n",
    });
  });

  it.each(["SIGTERM", "SIGINT"] as const)("runs a role until %s, then closes it and ends with 0", async (signal) => {
    const socket = join(directory, `${signal}.sock`);
    const { child, started, ended } = start(["run", "router", "-c", config(`${signal.toLowerCase()}.example`, socket)]);
    await started;
    // SIGHUP is for reading files again: it must not end the role.
    child.kill("SIGHUP");
    expect(await controlRequest(socket, "/v1/health", {})).toEqual({ pid: child.pid });
    child.kill(signal);
    const { code, out, err } = await ended;
    expect({ code, out }).toEqual({ code: 0, out: "" });
    const events = err
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { event: string }).event);
    expect(events.slice(0, 2)).toEqual(["role.started", "role.reloaded"]);
    expect(events.slice(-2)).toEqual(["role.stopping", "role.stopped"]);
    await expect(controlRequest(socket, "/v1/health", {})).rejects.toMatchObject({ code: "CONTROL_UNREACHABLE" });
  });

  it("refuses to run a second time, in one line, and goes away", async () => {
    const socket = join(directory, "twice.sock");
    const file = config("twice.example", socket);
    const first = start(["run", "router", "-c", file]);
    await first.started;
    const second = await start(["run", "router", "-c", file]).ended;
    expect(second).toEqual({
      code: 2,
      out: "",
      err: `sluice: ${socket} is in use: a role is already running there; stop it, or choose another \`control:\`\n`,
    });
    first.child.kill("SIGKILL");
    await first.ended;
    const third = start(["run", "router", "-c", file]);
    await third.started;
    third.child.kill("SIGTERM");
    expect((await third.ended).code).toBe(0);
  });

  it("logs a defect as one line, and ends so that it is started anew", async () => {
    const { code, err } = await start(["run", "router", "-c", config("crash.example", join(directory, "c.sock"))])
      .ended;
    expect(code).toBe(1);
    const last = JSON.parse(err.trim().split("\n").at(-1) ?? "") as Record<string, unknown>;
    expect(last).toMatchObject({ level: "error", event: "role.crashed", error: { message: "boom" } });
  });
});
