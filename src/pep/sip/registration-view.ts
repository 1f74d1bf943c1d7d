/** Registrations as the control API shows them. Pure. */
import type { RegistrationView } from "../../control/registration-views.js";
import { formatEndpoint } from "../../model/ip.js";
import type { Binding } from "../../sip/registrar/binding.js";

export function registrationView(binding: Binding): RegistrationView {
  const { aor, contact, q, since, expires, arrived, instance, agent } = binding;
  return {
    user: aor,
    contact,
    q: q / 1000,
    since,
    expires,
    transport: arrived.transport,
    from: formatEndpoint(arrived.address, arrived.port),
    connected: arrived.flow !== undefined,
    ...(instance === undefined ? {} : { instance }),
    ...(agent === undefined ? {} : { agent }),
  };
}
