/** The machine we run on. */
import { open, readdir } from "node:fs/promises";
import { connect } from "node:net";
import { execa } from "execa";
import type { Machine, ToolRun } from "./machine.js";

export interface LinuxMachineOptions {
  /** For one program. */
  readonly toolTimeoutMs?: number;
  readonly connectTimeoutMs?: number;
  /** Programs at once. */
  readonly parallel?: number;
}

const MAX_OUTPUT = 32 * 1024 * 1024;
/** Octets of a file; /proc and /sys tell no sizes beforehand. */
const MAX_FILE = 1024 * 1024;

export function openLinuxMachine(options: LinuxMachineOptions = {}): Machine {
  const { toolTimeoutMs = 2000, connectTimeoutMs = 1000, parallel = 4 } = options;
  const turn = limitedTo(parallel);
  return {
    nodeVersion: process.versions.node,
    run: (program, args, input = "") => turn(() => runProgram(program, args, input, toolTimeoutMs)),
    read: readText,
    list: (path) => readdir(path).catch(() => []),
    connects: (host, port) => connects(host, port, connectTimeoutMs),
  };
}

async function runProgram(program: string, args: readonly string[], input: string, timeout: number): Promise<ToolRun> {
  const result = await execa(program, args, {
    input,
    env: { LC_ALL: "C", PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin:/usr/bin:/bin` },
    reject: false,
    timeout,
    maxBuffer: MAX_OUTPUT,
    stripFinalNewline: false,
  });
  const { exitCode, stdout, stderr } = result;
  if (exitCode !== undefined && !result.isMaxBuffer) return { status: "exited", exitCode, stdout, stderr };
  if (result.code === "ENOENT") return { status: "absent" };
  if (result.timedOut) return { status: "stopped", reason: `did not end within ${timeout} ms` };
  return { status: "stopped", reason: result.shortMessage ?? "did not run" };
}

async function readText(path: string): Promise<string | undefined> {
  try {
    const file = await open(path, "r");
    try {
      const buffer = Buffer.alloc(64 * 1024);
      const parts: Buffer[] = [];
      let length = 0;
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
        if (bytesRead === 0) return Buffer.concat(parts).toString("utf8");
        length += bytesRead;
        if (length > MAX_FILE) return undefined;
        parts.push(Buffer.from(buffer.subarray(0, bytesRead)));
      }
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}

function connects(host: string, port: number, timeout: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout });
    const finish = (isOpen: boolean): void => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once("connect", () => finish(true));
    socket.once("timeout", () => finish(false));
    socket.once("error", () => finish(false));
  });
}

/** Runs at most `most` at once, the others wait in order. */
export function limitedTo(most: number): <Value>(work: () => Promise<Value>) => Promise<Value> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    running += 1;
    try {
      return await work();
    } finally {
      running -= 1;
      waiting.shift()?.();
    }
  };
}
