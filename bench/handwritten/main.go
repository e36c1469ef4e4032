// Command handwritten is the yardstick of the API benchmark on PostgreSQL: what a careful person writes with net/http and
// pgx to list one known table, with a total, in the form in which the Table API answers.
//
//	handwritten ADDRESS DATABASE
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strconv"

	"github.com/jackc/pgx/v5/pgxpool"
)

// columns are the record's, system fields included, as text: the answer has nothing but strings.
const columns = `sys_id, to_char(sys_created_on, 'YYYY-MM-DD HH24:MI:SS'), sys_created_by, to_char(sys_updated_on, 'YYYY-MM-DD HH24:MI:SS'), sys_updated_by,
	sys_mod_count::text, asset_tag, serial_number, name, model, manufacturer, email, location, coalesce(purchase_date::text, ''), coalesce(cost::text, ''),
	status, ip_address, description`

type asset struct {
	ID           string `json:"sys_id"`
	CreatedOn    string `json:"sys_created_on"`
	CreatedBy    string `json:"sys_created_by"`
	UpdatedOn    string `json:"sys_updated_on"`
	UpdatedBy    string `json:"sys_updated_by"`
	ModCount     string `json:"sys_mod_count"`
	Tag          string `json:"asset_tag"`
	Serial       string `json:"serial_number"`
	Name         string `json:"name"`
	Model        string `json:"model"`
	Manufacturer string `json:"manufacturer"`
	Email        string `json:"email"`
	Location     string `json:"location"`
	Purchased    string `json:"purchase_date"`
	Cost         string `json:"cost"`
	Status       string `json:"status"`
	IP           string `json:"ip_address"`
	Description  string `json:"description"`
}

func main() {
	pool, err := pgxpool.New(context.Background(), os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /asset", func(w http.ResponseWriter, r *http.Request) {
		if err := list(w, r, pool); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}

func list(w http.ResponseWriter, r *http.Request, pool *pgxpool.Pool) error {
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil {
		return err
	}
	var total int
	if err := pool.QueryRow(r.Context(), "SELECT count(*) FROM asset").Scan(&total); err != nil {
		return err
	}
	rows, err := pool.Query(r.Context(), "SELECT "+columns+" FROM asset ORDER BY sys_id LIMIT $1", limit)
	if err != nil {
		return err
	}
	defer rows.Close()
	var answer struct {
		Result []asset `json:"result"`
	}
	for rows.Next() {
		var a asset
		if err := rows.Scan(&a.ID, &a.CreatedOn, &a.CreatedBy, &a.UpdatedOn, &a.UpdatedBy, &a.ModCount, &a.Tag, &a.Serial, &a.Name, &a.Model, &a.Manufacturer,
			&a.Email, &a.Location, &a.Purchased, &a.Cost, &a.Status, &a.IP, &a.Description); err != nil {
			return err
		}
		answer.Result = append(answer.Result, a)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.Header().Set("X-Total-Count", strconv.Itoa(total))
	return json.NewEncoder(w).Encode(answer)
}
