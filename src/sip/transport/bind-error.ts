/** Why a listener could not be opened, and what to do about it. */
import { SystemError } from "../../model/errors.js";
import { formatEndpoint } from "../../model/ip.js";
import type { SocketAddress } from "./transport.js";

/** SIP_ADDRESS_IN_USE or SIP_BIND. */
export function bindError(protocol: "UDP" | "TCP", place: SocketAddress, cause: NodeJS.ErrnoException): SystemError {
  const where = `${protocol} ${formatEndpoint(place.address, place.port)}`;
  if (cause.code === "EADDRINUSE") {
    const flags = protocol === "UDP" ? "-lunp" : "-ltnp";
    return new SystemError("SIP_ADDRESS_IN_USE", `${where} is in use by another process`, {
      cause,
      remedy: `find it with \`ss ${flags} sport = :${place.port}\` and stop it, or configure another port`,
    });
  }
  const remedy =
    cause.code === "EADDRNOTAVAIL"
      ? "the address is on no interface: check `ip address`, and that the interface is up"
      : cause.code === "EACCES"
        ? "ports below 1024 need CAP_NET_BIND_SERVICE"
        : "check the configured listen address";
  return new SystemError("SIP_BIND", `cannot listen on ${where}: ${cause.code ?? cause.message}`, { cause, remedy });
}
