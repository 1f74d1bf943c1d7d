/** Writes log lines: one JSON object a line, with the severity prefix that systemd's journal reads. */
import { type Clock, SYSTEM_CLOCK } from "../model/clock.js";
import type { LogFields, Logger, LogMethod } from "../model/log.js";
import { loggable } from "./redact.js";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `journal` puts `<3>`..`<7>` before each line (sd-daemon(3)); the journal takes it as the priority. */
export type LogFormat = "json" | "journal";

export interface LoggerOptions {
  /** Least severity that is written. Default `info`. */
  readonly level?: LogLevel;
  /** Default: `journal` under systemd, else `json`. */
  readonly format?: LogFormat;
  /** Takes one line with its newline. Default: standard error. */
  readonly write?: (line: string) => void;
  readonly clock?: Clock;
  /** Names of fields whose values are not shown, beyond the usual (token, password, key, crypto …). */
  readonly secrets?: readonly string[];
  /** Fields of every line. */
  readonly fields?: LogFields;
}

const PRIORITY: Readonly<Record<LogLevel, number>> = { debug: 7, info: 6, warn: 4, error: 3 };

/** systemd sets JOURNAL_STREAM when standard error goes to the journal (systemd.exec(5)). */
export function detectLogFormat(env: Readonly<Record<string, string | undefined>>): LogFormat {
  return env.JOURNAL_STREAM === undefined ? "json" : "journal";
}

interface Sink {
  readonly least: number;
  readonly secrets: ReadonlySet<string>;
  readonly emit: (level: LogLevel, line: string) => void;
  readonly clock: Clock;
}

export function createLogger(options: LoggerOptions = {}): Logger {
  const format = options.format ?? detectLogFormat(process.env);
  const write = options.write ?? ((line: string) => void process.stderr.write(line));
  const sink: Sink = {
    least: LOG_LEVELS.indexOf(options.level ?? "info"),
    secrets: new Set(options.secrets?.map((name) => name.toLowerCase())),
    clock: options.clock ?? SYSTEM_CLOCK,
    emit: (level, line) => write(format === "journal" ? `<${PRIORITY[level]}>${line}\n` : `${line}\n`),
  };
  return loggerOf(sink, options.fields ?? {});
}

function loggerOf(sink: Sink, base: LogFields): Logger {
  const at = (level: LogLevel): LogMethod => {
    if (LOG_LEVELS.indexOf(level) < sink.least) return () => undefined;
    return (event, fields) => {
      const own = typeof fields === "function" ? fields() : fields;
      const time = new Date(sink.clock.now()).toISOString();
      const rest = loggable({ ...base, ...own }, sink.secrets) as LogFields;
      // Fields cannot stand in for these three, yet these come first in the line.
      const line = Object.assign({ time, level, event }, rest, { time, level, event });
      sink.emit(level, JSON.stringify(line));
    };
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => loggerOf(sink, { ...base, ...fields }),
  };
}
