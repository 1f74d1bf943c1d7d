import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { secretInput } from "../../src/cli/secret-input.js";
import { PasswordChecker } from "../../src/portal/accounts/password.js";
import { parseHash } from "../../src/portal/accounts/phc.js";
import { runSluice } from "./run-sluice.js";

/** A terminal in the hands of somebody who types a line each time that it is asked. */
class Terminal extends EventEmitter {
  readonly isTTY = true;
  readonly #lines: string[];
  isRaw = false;
  constructor(...lines: string[]) {
    super();
    this.#lines = lines;
  }
  setRawMode(on: boolean): this {
    this.isRaw = on;
    return this;
  }
  resume(): this {
    const line = this.#lines.shift();
    if (line !== undefined) for (const key of line) setImmediate(() => this.emit("data", Buffer.from(key)));
    return this;
  }
  pause(): this {
    return this;
  }
}

async function passwd(stream: Terminal | PassThrough, ...more: readonly string[]) {
  let prompts = "";
  const input = secretInput(stream, (text) => {
    prompts += text;
  });
  const ran = await runSluice(["portal", "passwd", ...more], { isTerminal: true, input });
  return { ...ran, prompts };
}

async function isHashOf(out: string, password: string): Promise<unknown> {
  const hash = parseHash(out.trim());
  return hash === undefined ? "no hash" : new PasswordChecker().check(password, hash, "terminal");
}

const typed = (text: string): PassThrough => {
  const stream = new PassThrough();
  stream.end(text);
  return stream;
};

describe("sluice portal passwd", () => {
  it("asks twice without echo, and prints a hash that the portal takes", async () => {
    const terminal = new Terminal("correct hors\u007fse\r", "junk\u0015correct horse\r");
    const { code, out, err, prompts } = await passwd(terminal);
    expect({ code, err, prompts }).toEqual({ code: 0, err: "", prompts: "Password: \nAgain: \n" });
    expect(await isHashOf(out, "correct horse")).toBe(true);
    expect(terminal.isRaw).toBe(false);
    expect(terminal.listenerCount("data")).toBe(0);
  });

  it("prints nothing for two that differ, one that is too short, and who thinks better of it", async () => {
    expect(await passwd(new Terminal("correct horse\r", "correct house\r"))).toMatchObject({
      code: 2,
      out: "",
      err: "sluice: the two are not the same; try again\n",
    });
    expect(await passwd(new Terminal("short\r", "short\r"))).toMatchObject({ code: 2, out: "" });
    const terminal = new Terminal("half\u0003");
    expect(await passwd(terminal)).toMatchObject({ code: 2, out: "", err: "sluice: nothing was done\n" });
    expect(terminal.isRaw).toBe(false);
  });

  it("takes the first line of standard input with --stdin", async () => {
    const { code, out, prompts } = await passwd(typed("correct horse\r\nanother\n"), "--stdin");
    expect({ code, prompts }).toEqual({ code: 0, prompts: "" });
    expect(await isHashOf(out, "correct horse")).toBe(true);
    expect(await passwd(typed("x".repeat(70_000)), "--stdin")).toMatchObject({ code: 2, out: "" });
    expect(await passwd(typed(""), "--stdin")).toMatchObject({ code: 2, out: "" });
  });

  it("does not ask where nobody sits", async () => {
    const { code, err } = await passwd(typed("correct horse\n"));
    expect(code).toBe(2);
    expect(err).toContain("--stdin");
  });
});
