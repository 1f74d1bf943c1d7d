/** The logger every part is given; nothing logs through a global. Implemented in telemetry. */

export type LogFields = Readonly<Record<string, unknown>>;

/** `event` is a stable dotted name such as `cops.peer.lost`; fields may be a function, called only if written. */
export type LogMethod = (event: string, fields?: LogFields | (() => LogFields)) => void;

export interface Logger {
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
  /** A logger that adds these fields to every line. */
  child(fields: LogFields): Logger;
}

const ignore: LogMethod = () => undefined;

export const SILENT_LOGGER: Logger = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  child: () => SILENT_LOGGER,
};
