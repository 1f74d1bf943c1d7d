import { describe, expect, it, vi } from "vitest";
import { watchRsvp } from "../../src/cli/rsvp-watch.js";
import type { RsvpWatchLine } from "../../src/control/happening-views.js";
import { bitsPerSecond, dscp, timestamp } from "../../src/model/units.js";
import { roleSockets } from "./role-sockets.js";
import { printing } from "./run-sluice.js";

const sockets = roleSockets("sluice-watch-");
const at = timestamp(Date.UTC(2026, 0, 2, 3, 4, 5, 6));
const ends = { sender: "10.1.0.1", destination: "10.3.0.1", dscp: dscp(46) };

const LINES: readonly RsvpWatchLine[] = [
  {
    at,
    what: "reservation",
    change: "takenBack",
    direction: "outgoing",
    ...ends,
    before: bitsPerSecond(200_000),
    after: bitsPerSecond(100_000),
    failure: "a part was taken back",
  },
  { at, what: "neighbour", change: "restarted", address: "10.2.1.2", interface: "core" },
  { at, what: "interface", change: "down", interface: "core" },
  { at, what: "path", change: "moved", ...ends, previousHop: "10.2.1.1", interface: "r2" },
  { at, what: "path", change: "gone", ...ends },
  { at, what: "refusedMessages", counter: "refused.digest\u001b", count: 3 },
];

/** A router whose watchers are told these lines at once. */
const router = (name: string, lines: readonly unknown[] = LINES) =>
  sockets.role(
    name,
    {},
    {},
    {
      "/v1/rsvp/watch": (_query, send) => {
        const timer = setTimeout(() => lines.forEach(send), 0);
        return () => clearTimeout(timer);
      },
    },
  );

const sluice = (...args: readonly string[]) => sockets.sluice(["rsvp", "watch", ...args]);

describe("rsvp watch", () => {
  it("prints a line for each thing that happens, and ends after so many", async () => {
    await router("r1");
    await sockets.role("sip1", { "/v1/health": async () => ({}) });
    expect(await sluice("--count", "6")).toEqual({
      code: 0,
      err: "",
      out: [
        "outgoing reservation EF 10.1.0.1 to 10.3.0.1 taken back: 200 kbit/s > 100 kbit/s (a part was taken back)",
        "neighbour 10.2.1.2 on core restarted",
        "interface core down",
        "path EF 10.1.0.1 to 10.3.0.1 moved: from 10.2.1.1, out of r2",
        "path EF 10.1.0.1 to 10.3.0.1 gone: begins here, ends here",
        "messages not taken (refused.digest?): 3",
      ]
        .map((text) => `2026-01-02T03:04:05.006Z  r1  ${text}\n`)
        .join(""),
    });
    expect((await sluice("--count", "1")).out.split("\n")).toHaveLength(2);
  });

  it("prints a document a line, of all routers", async () => {
    await router("r1", LINES.slice(1, 2));
    await router("r2", LINES.slice(2, 3));
    const { out, code } = await sluice("--count", "2", "-o", "json");
    const found = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(code).toBe(0);
    expect(found).toHaveLength(2);
    expect(found).toContainEqual({ role: "r1", ...LINES[1] });
    expect(found).toContainEqual({ role: "r2", ...LINES[2] });
  });

  it("ends by itself after a time", async () => {
    await router("r1", []);
    const began = Date.now();
    expect(await sluice("--for", "300 ms")).toEqual({ code: 0, out: "", err: "" });
    expect(Date.now() - began).toBeGreaterThanOrEqual(290);
  });

  it("ends in order when it is interrupted, and with a failure when the role stops", async () => {
    const server = await router("r1");
    const { io, printed } = printing();
    const stop = new AbortController();
    const options = { runDir: sockets.directory, output: "table" as const };
    const interrupted = watchRsvp(options, io, stop.signal);
    await vi.waitFor(() => expect(printed.out).toContain("refused.digest"));
    stop.abort();
    expect(await interrupted).toBe(0);
    const left = printing();
    const ended = watchRsvp(options, left.io, new AbortController().signal);
    await vi.waitFor(() => expect(left.printed.out).toContain("refused.digest"));
    await server.close();
    expect(await ended).toBe(2);
    expect(left.printed.err).toContain("r1 has stopped");
  });

  it("shows what it does not know, and says what cannot be", async () => {
    await sockets.role("sip1", { "/v1/health": async () => ({}) });
    expect(await sluice("--for", "1 s")).toMatchObject({ code: 2, err: expect.stringContaining("speaks RSVP") });
    await router("r9", [{ at, what: "miracle", text: "\u001b[2J" }]);
    const { out } = await sluice("--count", "1");
    expect(out).toMatch(/^r9 {2}\{.*miracle.*\n$/);
    expect(out).not.toContain("\u001b");
    expect(await sluice("--for", "ten")).toMatchObject({ code: 2, err: expect.stringContaining("--for") });
    expect(await sluice("--count", "0")).toMatchObject({ code: 2, err: expect.stringContaining("above 0") });
  });
});
