#!/usr/bin/env node
/** Entry of the `sluice` command. */
import { readFileSync } from "node:fs";
import { runProgram } from "./program.js";
import { secretInput } from "./secret-input.js";

function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const found: unknown = JSON.parse(text);
  return typeof found === "object" && found !== null && "version" in found ? String(found.version) : "unknown";
}

// `sluice show … | head` closes our output early: that is no error of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

process.exitCode = await runProgram(
  process.argv.slice(2),
  {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    env: process.env,
    isTerminal: process.stdout.isTTY === true,
    // Looked at when it is wanted: to touch standard input may keep the process up.
    get input() {
      return secretInput(process.stdin, (text) => void process.stderr.write(text));
    },
  },
  version(),
);
