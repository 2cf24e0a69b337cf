// A mail server that keeps what it is given: signet in earnest mails by SMTP (RFC 5321).

import { createServer } from 'node:net';

export function startMail() {
  const mails = [];
  const server = createServer((socket) => {
    let text = '', inData = false;
    const line = (command) => {
      const verb = command.slice(0, 4).toUpperCase();
      inData = verb === 'DATA';
      socket.write({ DATA: '354 go on\r\n', QUIT: '221 bye\r\n' }[verb] ?? '250 localhost\r\n');
      if (verb === 'QUIT') socket.end();
    };
    const mail = (whole) => {
      mails.push(whole);
      inData = false;
      socket.write('250 kept\r\n');
    };
    socket.write('220 localhost\r\n');
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      text += chunk;
      for (let end, at; end = inData ? '\r\n.\r\n' : '\r\n', (at = text.indexOf(end)) >= 0;) {
        const part = text.slice(0, at);
        text = text.slice(at + end.length);
        if (inData) mail(part); else line(part);
      }
    });
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve({
    url: `smtp://127.0.0.1:${server.address().port}`,
    stop: () => server.close(),
    /** The code of a mail to an address, which is taken out; undefined for none. */
    take(email) {
      const at = mails.findIndex((m) => m.includes(email));
      return at < 0 ? undefined : /\b\d{6}\b/.exec(mails.splice(at, 1)[0].split('\r\n\r\n').slice(1).join('\n'))?.[0];
    },
  })));
}
