/** Roles that answer on control sockets in a directory of the test's own; registers its own set-up and tidying. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import type { CliIo } from "../../src/cli/io.js";
import { type ControlRoute, ControlServer } from "../../src/control/server.js";
import type { ControlStream } from "../../src/control/stream.js";
import { SILENT_LOGGER } from "../../src/model/log.js";
import { type Ran, runSluice } from "./run-sluice.js";

export interface RoleSockets {
  /** Another one in every test. */
  readonly directory: string;
  role(
    name: string,
    routes: Record<string, ControlRoute>,
    actions?: Record<string, ControlRoute>,
    streams?: Record<string, ControlStream>,
  ): Promise<ControlServer>;
  /** Runs it where these roles are. */
  sluice(args: readonly string[], given?: Partial<CliIo>): Promise<Ran>;
}

export function roleSockets(prefix: string): RoleSockets {
  let directory = "";
  const servers: ControlServer[] = [];
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), prefix));
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return {
    get directory() {
      return directory;
    },
    async role(name, routes, actions = {}, streams = {}) {
      const path = join(directory, `${name}.sock`);
      const server = new ControlServer({ path, routes, actions, streams, log: SILENT_LOGGER });
      servers.push(server);
      await server.listen();
      return server;
    },
    sluice: (args, given = {}) => runSluice(args, { ...given, env: { SLUICE_RUN_DIR: directory, ...given.env } }),
  };
}
