interface Urls {
  aldeamo: string;
  twilio: string;
  payment: string;
}

/** What `npm start` prints once the services listen. */
export async function announcement({ aldeamo, twilio, payment }: Urls): Promise<string> {
  const [aldeamoMode, twilioMode] = await Promise.all([describeMode(aldeamo), describeMode(twilio)]);
  return `
  payment-service  ${payment}   the live page; its API to try out: ${payment}/docs
  aldeamo-service  ${aldeamo}   ${aldeamoMode}
  twilio-service   ${twilio}   ${twilioMode}

  Send a payment:
    curl -X POST ${payment}/payments -H "Content-Type: application/json" \\
      -d '{"amount": 100.0, "customer_id": "123", "message": "Pago recibido"}'
  Break Aldeamo, if it is a sandbox, and send another:
    curl -X POST "${aldeamo}/toggle-failure?failure_rate=1"

  Ctrl-C stops all three.

`;
}

async function describeMode(url: string): Promise<string> {
  // Without keep-alive, because an idle connection would delay a stop that comes soon.
  const response = await fetch(`${url}/health`, { headers: { connection: 'close' } });
  const { mode } = (await response.json()) as { mode: string };
  return mode === 'live' ? 'live: SMS are sent' : 'a sandbox: no SMS is sent';
}
