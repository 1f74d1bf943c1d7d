import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SystemError } from "../../src/model/errors.js";
import { seconds } from "../../src/model/units.js";
import { createLimitedWarn } from "../../src/telemetry/limited.js";
import { createLogger, detectLogFormat, type LoggerOptions } from "../../src/telemetry/logger.js";
import { FakeClock } from "../support/fake-clock.js";

function capture(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const log = createLogger({ clock: new FakeClock(), format: "json", write, ...options });
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? "null") as Record<string, unknown> };
}

describe("createLogger", () => {
  it("writes one JSON object a line, with its own and its parents' fields", () => {
    const { log, lines } = capture({ fields: { role: "pdp" } });
    log.child({ session: "s1" }).info("session.admitted", { pool: "voice\n", bps: 80_000 });
    expect(lines).toEqual([
      '{"time":"1970-01-01T00:16:40.000Z","level":"info","event":"session.admitted","role":"pdp","session":"s1","pool":"voice\\n","bps":80000}\n',
    ]);
  });

  it("leaves out what is below the level, and does not ask for its fields", () => {
    const { log, lines } = capture({ level: "warn" });
    log.info("a", () => {
      throw new Error("asked");
    });
    log.warn("b", () => ({ x: 1 }));
    log.error("c");
    expect(lines.map((line) => (JSON.parse(line) as { event: string }).event)).toEqual(["b", "c"]);
  });

  it("puts the priority before the line under systemd", () => {
    expect(detectLogFormat({ JOURNAL_STREAM: "8:1" })).toBe("journal");
    expect(detectLogFormat({})).toBe("json");
    const { log, lines } = capture({ format: "journal", level: "debug" });
    for (const level of ["debug", "info", "warn", "error"] as const) log[level]("x");
    expect(lines.map((line) => line.slice(0, 3))).toEqual(["<7>", "<6>", "<4>", "<3>"]);
  });

  it("never lets fields stand in for time, level and event", () => {
    const { log, last } = capture();
    log.info("real", { event: "forged", level: "error", time: "never" });
    expect(last()).toMatchObject({ event: "real", level: "info" });
  });

  it("shows no secret", () => {
    const { log, lines } = capture({ secrets: ["customerId"] });
    const sdp = "v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:HUSH\r\nk=clear:HUSH\r\nm=audio 1 RTP/SAVP 0\r\n";
    const message = "INVITE sip:x SIP/2.0\r\nP-OSP-Auth-Token: HUSH\r\nProxy-Authorization: Digest HUSH\r\nVia: y\r\n";
    log.info("x", {
      token: "HUSH",
      ospToken: Buffer.from("HUSH"),
      password: { value: "HUSH" },
      key: "HUSH",
      keys: ["HUSH"],
      "private-key": "HUSH",
      customerId: "HUSH",
      deep: { list: [{ sdpCrypto: "HUSH" }] },
      map: new Map([["Authorization", "HUSH"]]),
      sdp,
      message,
      xml: '<Token encoding="base64">HUSH</Token>',
      pem: "-----BEGIN PRIVATE KEY-----\nHUSH\n-----END PRIVATE KEY-----",
      cut: `-----BEGIN EC PRIVATE KEY-----\nHUSH${"x".repeat(10_000)}`,
      error: new SystemError("X", "failed: a=crypto:1 HUSH", { cause: new Error("Authorization: HUSH") }),
    });
    expect(lines[0]).not.toContain("HUSH");
    expect(lines[0]).toContain("m=audio 1 RTP/SAVP 0");
    expect(lines[0]).toContain("Via: y");
  });

  it("still shows the key of a flow", () => {
    const { log, last } = capture();
    log.info("x", { key: { protocol: "udp", destination: { port: 7 } }, flowKey: "udp a > b", monkey: 1 });
    expect(last()).toMatchObject({
      key: { protocol: "udp", destination: { port: 7 } },
      flowKey: "udp a > b",
      monkey: 1,
    });
  });

  it("writes any value as one bounded line", () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    const { log, lines } = capture();
    log.info("x", { circle, big: 5n, nan: Number.NaN, list: Array.from({ length: 5000 }, () => "y".repeat(5000)) });
    expect(lines[0]?.length).toBeLessThan(500_000);
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withMap: true, withSet: true, withDate: true }), (value) => {
        log.info("x", { value });
        const line = lines.at(-1) ?? "";
        return line.endsWith("\n") && line.indexOf("\n") === line.length - 1 && JSON.parse(line) !== undefined;
      }),
      { examples: [[new Map([[{ toString: "not callable" }, 1]])]] },
    );
  });
});

describe("createLimitedWarn", () => {
  it("writes one line per source and time, and counts the rest", async () => {
    const clock = new FakeClock();
    const { log, lines, last } = capture({ clock });
    const warn = createLimitedWarn(log, { clock, every: seconds(10) });
    for (let times = 0; times < 5; times += 1) warn("cops.bad", "10.0.0.1", { times });
    warn("cops.bad", "10.0.0.2");
    warn("sip.bad", "10.0.0.1");
    expect(lines).toHaveLength(3);
    await clock.pass(10_000);
    warn("cops.bad", "10.0.0.1");
    expect(last()).toMatchObject({ source: "10.0.0.1", suppressed: 4 });
  });

  it("remembers a bounded number of sources, and still limits the others", () => {
    const clock = new FakeClock();
    const { log, lines } = capture({ clock });
    const warn = createLimitedWarn(log, { clock, maxSources: 10 });
    for (let source = 0; source < 1000; source += 1) warn("sip.bad", `host${source}`);
    expect(lines).toHaveLength(11);
  });
});
