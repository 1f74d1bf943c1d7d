/** The directory of nick names, as a clearinghouse has it. */
import { join } from "node:path";
import { DirectoryServer } from "../../src/clearinghouse/directory/directory-server.js";
import { type NickClaim, NickNames } from "../../src/clearinghouse/directory/nick-names.js";
import { SYSTEM_CLOCK } from "../../src/model/clock.js";
import { parsePrefix } from "../../src/model/ip.js";
import { SILENT_LOGGER } from "../../src/model/log.js";
import { readSetting, tellOf } from "./measured-process.js";

export interface DirectorySetting {
  /** For the file of names. */
  readonly folder: string;
}

class CountedNames extends NickNames {
  puts = 0;
  lists = 0;

  override put(nick: string, aor: string, online: boolean): Promise<NickClaim> {
    this.puts += 1;
    return super.put(nick, aor, online);
  }

  override online(): ReturnType<NickNames["online"]> {
    this.lists += 1;
    return super.online();
  }
}

const { folder } = readSetting<DirectorySetting>();
const names = new CountedNames(join(folder, "directory.db"), SYSTEM_CLOCK);
const prefix = parsePrefix("127.0.0.0/8");
const server = new DirectoryServer({
  listen: { address: "127.0.0.1", port: 0 },
  clients: prefix === undefined ? [] : [{ prefix, domains: ["a.example"] }],
  names,
  clock: SYSTEM_CLOCK,
  log: SILENT_LOGGER,
});
tellOf(await server.listen(), () => ({ puts: names.puts, lists: names.lists }));
