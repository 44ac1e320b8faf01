import type { ReactNode } from 'react';

// The little Markdown that model cards are written in: headings, paragraphs, lists, tables, bold, code. It makes elements,
// never HTML from text, and links stay text: a card is made from what people and files said.

function inline(text: string): ReactNode[] {
  return text.split(/(\*\*[^*]+\*\*|`[^`]+`)/).map((part, i) =>
    part.startsWith('**') && part.length > 4 ? <b key={i}>{part.slice(2, -2)}</b> : part.startsWith('`') && part.length > 2 ? <span className="mono" key={i}>{part.slice(1, -1)}</span> : part,
  );
}

const cells = (line: string) => line.trim().replace(/^\||\|$/g, '').split('|').map((c) => c.trim());

export function Markdown({ children }: { children: string }) {
  const lines = children.split('\n');
  const out: ReactNode[] = [];
  for (let i = 0; i < lines.length; ) {
    const line = lines[i]!;
    const take = (is: (l: string) => boolean) => {
      const from = i;
      while (i < lines.length && is(lines[i]!)) i++;
      return lines.slice(from, i);
    };
    const heading = /^(#{1,6})\s+(.*)/.exec(line);
    if (!line.trim()) i++;
    else if (heading) {
      out.push(heading[1]!.length <= 2 ? <h3 key={i}>{inline(heading[2]!)}</h3> : <h4 key={i}>{inline(heading[2]!)}</h4>);
      i++;
    } else if (/^\s*[-*]\s/.test(line))
      out.push(<ul key={i}>{take((l) => /^\s*[-*]\s|^\s{2,}\S/.test(l)).map((l, k) => <li key={k}>{inline(l.replace(/^\s*[-*]\s/, ''))}</li>)}</ul>);
    else if (line.trim().startsWith('|')) {
      const [head, , ...body] = take((l) => l.trim().startsWith('|'));
      out.push(
        <div className="scroll" tabIndex={0} role="group" aria-label={cells(head!).join(', ')} key={i}><table className="plain">
          <thead><tr>{cells(head!).map((c, k) => <th scope="col" key={k}>{inline(c)}</th>)}</tr></thead>
          <tbody>{body.map((r, k) => <tr key={k}>{cells(r).map((c, n) => <td key={n}>{inline(c)}</td>)}</tr>)}</tbody>
        </table></div>,
      );
    } else out.push(<p key={i}>{inline(take((l) => !!l.trim() && !/^#|^\s*[-*]\s|^\s*\|/.test(l)).join(' '))}</p>);
  }
  return <div className="card-text">{out}</div>;
}
