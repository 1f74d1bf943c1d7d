/** `sluice check FILE…`: reads configuration files as `run` would, and starts nothing. */
import { loadConfig } from "../config/load.js";
import { ConfigError } from "../model/errors.js";
import { describeError } from "./describe-error.js";
import { type CliIo, EXIT } from "./io.js";

/** Tells the problems of all files, not only of the first. */
export function check(files: readonly string[], io: CliIo): number {
  let isWrong = false;
  for (const file of files) {
    try {
      const config = loadConfig(file, undefined, { env: io.env });
      io.out(`${file}: ${config.role} ${config.name}: ok\n`);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      io.err(describeError(error));
      isWrong = true;
    }
  }
  return isWrong ? EXIT.failed : EXIT.ok;
}
