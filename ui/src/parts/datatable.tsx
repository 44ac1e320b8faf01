import { useRef, useState, type ReactNode } from 'react';
import { flexRender, getCoreRowModel, getSortedRowModel, useReactTable, type ColumnDef, type SortingState } from '@tanstack/react-table';
import { useVirtualizer } from '@tanstack/react-virtual';

export type Columns<R> = (ColumnDef<R, unknown> & { meta?: { num?: boolean } })[];

/** A long table: sortable by its heads, and only the rows in sight are in the page. end is called near the last row. */
export function DataTable<R>({ rows, columns, label, height = 460, end, foot }: {
  rows: R[]; columns: Columns<R>; label: string; height?: number; end?: () => void; foot?: ReactNode;
}) {
  const [sorting, setSorting] = useState<SortingState>([]);
  const table = useReactTable({ data: rows, columns, state: { sorting }, onSortingChange: setSorting, getCoreRowModel: getCoreRowModel(), getSortedRowModel: getSortedRowModel() });
  const box = useRef<HTMLDivElement>(null);
  const sorted = table.getRowModel().rows;
  const virtual = useVirtualizer({ count: sorted.length, getScrollElement: () => box.current, estimateSize: () => 33, overscan: 12 });
  const items = virtual.getVirtualItems();
  const before = items[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (items[items.length - 1]?.end ?? 0);
  const width = table.getAllLeafColumns().length;
  return (
    <>
      <div
        ref={box}
        className="scroll"
        style={{ maxHeight: height, overflow: 'auto' }}
        tabIndex={0}
        role="group"
        aria-label={label}
        onScroll={(e) => end && e.currentTarget.scrollTop + e.currentTarget.clientHeight > e.currentTarget.scrollHeight - 400 && end()}
      >
        <table className="plain" aria-rowcount={rows.length + 1}>
          <thead style={{ position: 'sticky', top: 0, background: 'var(--edge-card)', zIndex: 1 }}>
            {table.getHeaderGroups().map((g) => (
              <tr key={g.id}>
                {g.headers.map((h) => {
                  const dir = h.column.getIsSorted();
                  const num = (h.column.columnDef.meta as { num?: boolean } | undefined)?.num;
                  return (
                    <th key={h.id} scope="col" className={num ? 'num' : undefined} aria-sort={dir ? (dir === 'asc' ? 'ascending' : 'descending') : undefined}>
                      {h.column.getCanSort() ? (
                        <button type="button" onClick={h.column.getToggleSortingHandler()} style={{ all: 'unset', cursor: 'pointer', font: 'inherit' }} className="sort">
                          {flexRender(h.column.columnDef.header, h.getContext())} {dir === 'asc' ? '↑' : dir === 'desc' ? '↓' : ''}
                        </button>
                      ) : (
                        flexRender(h.column.columnDef.header, h.getContext())
                      )}
                    </th>
                  );
                })}
              </tr>
            ))}
          </thead>
          <tbody>
            {before > 0 && <tr aria-hidden><td colSpan={width} style={{ height: before, padding: 0 }} /></tr>}
            {items.map((v) => {
              const row = sorted[v.index]!;
              return (
                <tr key={row.id} aria-rowindex={v.index + 2} data-index={v.index} ref={virtual.measureElement}>
                  {row.getVisibleCells().map((c) => (
                    <td key={c.id} className={(c.column.columnDef.meta as { num?: boolean } | undefined)?.num ? 'num' : undefined}>{flexRender(c.column.columnDef.cell, c.getContext())}</td>
                  ))}
                </tr>
              );
            })}
            {after > 0 && <tr aria-hidden><td colSpan={width} style={{ height: after, padding: 0 }} /></tr>}
          </tbody>
        </table>
      </div>
      {foot}
    </>
  );
}
