/** Offloads as `ethtool -k` prints them. Pure. */

export interface Offload {
  readonly isOn: boolean;
  /** Whether it cannot be changed. */
  readonly isFixed: boolean;
}

/** By ethtool's names; undefined for text that is no such listing. */
export function parseFeatures(text: string): ReadonlyMap<string, Offload> | undefined {
  const [head = "", ...lines] = text.split("\n");
  if (!/^Features for .+:$/.test(head)) return undefined;
  const features = new Map<string, Offload>();
  for (const line of lines) {
    const match = /^\t?([a-z0-9-]+): (on|off)( \[fixed\]| \[requested (?:on|off)\])?$/.exec(line);
    if (match === null) continue;
    const [, name = "", state, mark] = match;
    features.set(name, { isOn: state === "on", isFixed: mark === " [fixed]" });
  }
  return features;
}
