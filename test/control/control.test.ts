import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { controlRequest } from "../../src/control/client.js";
import { type ControlRoute, ControlServer } from "../../src/control/server.js";
import { SystemError } from "../../src/model/errors.js";
import { SILENT_LOGGER } from "../../src/model/log.js";
import { millis } from "../../src/model/units.js";

let directory = "";
let path = "";
const open: { close(): Promise<void> }[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-control-"));
  path = join(directory, "run", "r1.sock");
});
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
  rmSync(directory, { recursive: true, force: true });
});

async function serve(routes: Record<string, ControlRoute>, at = path): Promise<ControlServer> {
  const server = new ControlServer({ path: at, routes, log: SILENT_LOGGER });
  open.push(server);
  await server.listen();
  return server;
}

/** Sends a request that `controlRequest` would not make. */
function raw(method: string, target: string): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: path, method, path: target, agent: false }, (response) => {
      let body = "";
      response.on("data", (part: Buffer) => {
        body += part.toString();
      });
      response.on("end", () => resolve({ status: response.statusCode, body }));
    });
    asked.on("error", reject);
    asked.end();
  });
}

describe("control socket", () => {
  it("answers with the route's value, and gives it the query", async () => {
    await serve({ "/v1/explain": async (query) => ({ query }), "/v1/metrics": async () => "up 1\n" });
    const session = "a b/?&=ü@host";
    await expect(controlRequest(path, "/v1/explain", { session })).resolves.toEqual({ query: { session } });
    await expect(controlRequest(path, "/v1/metrics", {})).resolves.toBe("up 1\n");
    expect(statSync(path).mode & 0o777).toBe(0o660);
  });

  it("says what a role does not know, and what it answers", async () => {
    await serve({ "/v1/health": async () => ({}), "/v1/explain": async () => undefined });
    await expect(controlRequest(path, "/v1/show/kernel", {})).rejects.toMatchObject({
      code: "CONTROL_ROUTE",
      remedy: "it answers /v1/health, /v1/explain",
    });
    await expect(controlRequest(path, "/v1/explain", {})).rejects.toMatchObject({ code: "CONTROL_NOT_FOUND" });
    await expect(controlRequest(path, "/constructor", {})).rejects.toMatchObject({ code: "CONTROL_ROUTE" });
  });

  it("hands on a role's own error, and hides a defect", async () => {
    await serve({
      "/v1/a": () => Promise.reject(new SystemError("DISK", "the disk is gone", { remedy: "look" })),
      "/v1/b": () => Promise.reject(new TypeError("secret of x")),
    });
    await expect(controlRequest(path, "/v1/a", {})).rejects.toMatchObject({ code: "DISK", remedy: "look" });
    const error = await controlRequest(path, "/v1/b", {}).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "INTERNAL" });
    expect(String(error)).not.toContain("secret");
  });

  it("refuses what is no question", async () => {
    await serve({ "/v1/health": async () => ({}) });
    expect((await raw("POST", "/v1/health")).status).toBe(405);
    expect((await raw("GET", `/v1/health?${"x".repeat(3000)}`)).status).toBe(414);
    expect((await raw("GET", "//[")).status).toBe(404);
    await expect(controlRequest(path, "/v1/health", {})).resolves.toEqual({});
  });

  it("changes something only when asked with POST, and shows nothing then", async () => {
    const server = new ControlServer({
      path,
      routes: { "/v1/health": async () => ({}) },
      actions: { "/v1/pools/resize": async (query) => ({ query }) },
      log: SILENT_LOGGER,
    });
    open.push(server);
    await server.listen();
    const post = { method: "POST" } as const;
    await expect(controlRequest(path, "/v1/pools/resize", { pool: "a" }, post)).resolves.toEqual({
      query: { pool: "a" },
    });
    await expect(controlRequest(path, "/v1/pools/resize")).rejects.toMatchObject({ code: "CONTROL_METHOD" });
    await expect(controlRequest(path, "/v1/health", {}, post)).rejects.toMatchObject({ code: "CONTROL_METHOD" });
    await expect(controlRequest(path, "/v1/x", {}, post)).rejects.toMatchObject({ code: "CONTROL_ROUTE" });
    expect((await raw("DELETE", "/v1/health")).status).toBe(405);
  });

  it("does not take the place of a living role", async () => {
    await serve({ "/v1/health": async () => ({ who: "first" }) });
    const second = new ControlServer({ path, routes: {}, log: SILENT_LOGGER });
    await expect(second.listen()).rejects.toMatchObject({
      code: "CONTROL_IN_USE",
      message: `${path} is in use: a role is already running there`,
    });
    await expect(controlRequest(path, "/v1/health", {})).resolves.toEqual({ who: "first" });
  });

  it("takes the place of a killed role, and of nothing else", async () => {
    await leaveStaleSocket(join(directory, "stale.sock"));
    await serve({ "/v1/health": async () => 1 }, join(directory, "stale.sock"));
    await expect(controlRequest(join(directory, "stale.sock"), "/v1/health", {})).resolves.toBe(1);
    const file = join(directory, "file.sock");
    writeFileSync(file, "precious");
    const server = new ControlServer({ path: file, routes: {}, log: SILENT_LOGGER });
    await expect(server.listen()).rejects.toMatchObject({ code: "CONTROL_IN_USE" });
    expect(existsSync(file)).toBe(true);
  });

  it("leaves nothing behind when it closes", async () => {
    const server = await serve({ "/v1/slow": () => new Promise(() => undefined) });
    const asked = controlRequest(path, "/v1/slow", {}).catch((error: unknown) => error);
    await new Promise((resolve) => setImmediate(resolve));
    await server.close();
    expect(existsSync(path)).toBe(false);
    expect(await asked).toMatchObject({ code: "CONTROL_UNREACHABLE" });
  });

  it("says why nobody answers", async () => {
    await expect(controlRequest(path, "/v1/health", {})).rejects.toMatchObject({
      code: "CONTROL_UNREACHABLE",
      message: `there is no control socket ${path}`,
    });
    await leaveStaleSocket(join(directory, "stale.sock"));
    await expect(controlRequest(join(directory, "stale.sock"), "/v1/health", {})).rejects.toMatchObject({
      code: "CONTROL_UNREACHABLE",
    });
    await serve({ "/v1/slow": () => new Promise(() => undefined) });
    await expect(controlRequest(path, "/v1/slow", {}, { timeout: millis(30) })).rejects.toMatchObject({
      code: "CONTROL_TIMEOUT",
    });
    const long = new ControlServer({ path: join(directory, "x".repeat(120)), routes: {}, log: SILENT_LOGGER });
    await expect(long.listen()).rejects.toMatchObject({ code: "CONTROL_PATH" });
  });
});

/** What a killed process leaves: a socket file that nobody listens to. */
async function leaveStaleSocket(at: string): Promise<void> {
  const { linkSync } = await import("node:fs");
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(`${at}.first`, resolve));
  // Closing removes the name it was opened by; the other name stays, as after a kill.
  linkSync(`${at}.first`, at);
  await new Promise<void>((resolve) => server.close(() => resolve()));
}
