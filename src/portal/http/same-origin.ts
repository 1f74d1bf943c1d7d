/** Whether a request was made by the portal's own page: what browsers say of it, and pages cannot change. */
import type { IncomingHttpHeaders } from "node:http";

/**
 * One that changes something must say where it comes from: every browser does. Programs without one say it too.
 * @param origin - the portal's own
 */
export function isOwnChange(headers: IncomingHttpHeaders, origin: string): boolean {
  const { origin: given, "sec-fetch-site": site } = headers;
  if (given === undefined && site === undefined) return false;
  return (given === undefined || given === origin) && (site === undefined || site === "same-origin");
}

/** One that reads may come without; `none` is typed by the user. */
export function isOwnReading({ "sec-fetch-site": site }: IncomingHttpHeaders): boolean {
  return site === undefined || site === "same-origin" || site === "none";
}
